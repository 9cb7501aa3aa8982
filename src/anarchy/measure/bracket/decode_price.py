"""How much time requests must spend in decode: a price for each token, another for each second.

A step of b sequences makes b tokens, lasts f(b) and costs its sequences b f(b) seconds. For any
price p of a token let m(p) = max over b of b (p / f(b) - 1), or 0. Then b f(b) + m f(b) >= p b for
every b, so over all steps of a worker that is busy for at most T seconds

    time in decode >= p * tokens - T * m(p).

This is Jensen's inequality for the convex envelope of the steps, with p its slope: it holds for
all batches at once, and any p proves a bound.
"""

from collections.abc import Callable, Sequence

import numpy as np

from anarchy.serving.log.request_log import Floats


def rent(price: float, steps: Floats, speeds: Sequence[float]) -> float:
    """The sum over workers of m(price): `steps` are f(1), f(2), ... at speed 1, in seconds."""
    batches = np.arange(1, len(steps) + 1)
    workers = [float((batches * (price * speed / steps - 1)).max()) for speed in speeds]
    return sum(max(0.0, worker) for worker in workers)


def corner_prices(steps: Floats, speeds: Sequence[float]) -> Floats:
    """The prices at which some worker's best batch changes, ascending.

    Between them a bound is linear in the price, and beyond the last one it only says how many
    tokens can be made: see `most_tokens`. So one of them proves as much as any price does.
    """
    corners = [(0.0, 0)]  # of the least batch over tokens a second, which is convex between them
    for batch, step in enumerate(steps.tolist(), start=1):
        rate = batch / step
        while len(corners) > 1 and _is_below(corners[-2], corners[-1], (rate, batch)):
            corners.pop()
        if rate > corners[-1][0]:
            corners.append((rate, batch))
    rates, batches = np.array(corners).T
    prices: Floats = np.unique(np.divide.outer(np.diff(batches) / np.diff(rates), speeds))
    return prices


def most_tokens(steps: Floats, speeds: Sequence[float]) -> float:
    """Tokens a second of all workers at most."""
    rates = np.arange(1, len(steps) + 1) / steps
    return float(rates.max()) * sum(speeds)


def best_price(bound: Callable[[float], float], steps: Floats, speeds: Sequence[float]) -> float:
    """The largest bound over the prices, near enough: any price proves one.

    A price below the shortest step rents nothing; far above the longest one only capacity counts.
    """
    from scipy.optimize import minimize_scalar  # here, so that others start sooner without

    low = float(steps.min()) / max(speeds)
    high = 100 * float(steps.max()) / min(speeds)
    logarithms = np.linspace(np.log(low), np.log(high), 65)
    bounds = [bound(float(np.exp(at))) for at in logarithms]
    best = int(np.argmax(bounds))
    around = logarithms[max(0, best - 1)], logarithms[min(len(bounds) - 1, best + 1)]
    found = minimize_scalar(lambda at: -bound(float(np.exp(at))), bounds=around, method="bounded")
    return max(max(bounds), float(-found.fun))


def _is_below(first: tuple[float, int], corner: tuple[float, int], last: tuple[float, int]) -> bool:
    """Whether the line from the first point to the last passes below the corner, or through it."""
    (x0, y0), (x1, y1), (x2, y2) = first, corner, last
    return x2 > x1 and (y2 - y1) * (x1 - x0) <= (y1 - y0) * (x2 - x1)
