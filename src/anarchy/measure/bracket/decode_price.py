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
