"""The knee of a load sweep, by utilisation on a grid, or exactly by bisection.

A knee on a grid is an interval between two grid points, never a point. None stands for an end
that the sweep does not reach. The bend of largest second derivative is not offered: it moves with
the units of the axes.
"""

from collections.abc import Callable, Sequence

Bounds = tuple[float | None, float | None]


def knee_interval(points: Sequence[tuple[float, float]], busy: float = 0.995) -> Bounds:
    """The neighbouring loads between which the busiest station becomes saturated.

    `points` are (load, utilisation of the busiest station), in any order, loads distinct. Returns
    (lo, hi] of the first crossing: at `lo` the utilisation is below `busy`, at `hi` it has reached
    it. (None, first load) if it is reached everywhere from the start, (last load, None) if never.
    Raises ValueError for no points or a repeated load.
    """
    grid = sorted(points)
    if not grid:
        raise ValueError("a knee needs at least one point")
    if len({load for load, _ in grid}) < len(grid):
        raise ValueError("a load occurs twice")
    below: float | None = None
    for load, utilisation in grid:
        if utilisation >= busy:
            return below, load
        below = load
    return below, None


def find_knee(
    busy_at: Callable[[int], float], busy: float, largest: int, guess: int = 1
) -> int | None:
    """The smallest concurrency whose busiest station is busy at least a share `busy` of the time.

    Brackets the knee from `guess` in steps that double, then bisects; each concurrency is tried
    at most once. That is exact if `busy_at` never falls as concurrency grows; a simulation only
    nearly obeys. So the result is moved down until neither of its two lower neighbours is
    saturated. None if `largest` is not saturated. Raises ValueError for largest < 1.
    """
    if largest < 1:
        raise ValueError(f"the largest concurrency is at least 1, not {largest}")
    known: dict[int, bool] = {0: False, -1: False}

    def saturated(clients: int) -> bool:
        if clients not in known:
            known[clients] = busy_at(clients) >= busy
        return known[clients]

    high = min(max(guess, 1), largest)
    low, step = high, 1
    while not saturated(high):
        if high == largest:
            return None
        low, high, step = high, min(high + step, largest), 2 * step
    step = 1
    while saturated(low):
        low, high, step = max(low - step, 0), low, 2 * step
    while True:
        while high - low > 1:
            middle = (low + high) // 2
            if saturated(middle):
                high = middle
            else:
                low = middle
        if not saturated(high - 2):
            return high
        high = high - 2
        low = max(c for c, full in known.items() if c < high and not full)
