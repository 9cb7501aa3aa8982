"""The throughput of a closed loop over a stretch of time."""

from collections.abc import Sequence


def cycle_throughput(done: Sequence[float], clients: int) -> float:
    """Completions a second, over as many whole cycles as the times of completion, ascending, hold.

    Clients that meet in a batch stay together for many cycles, so that a stretch of time which
    ends within a cycle would count too many completions or too few.
    """
    last = (len(done) - 1) // clients * clients
    if last <= 0:
        raise ValueError(f"{len(done)} completions are no cycle of {clients} clients")
    return last / (done[last] - done[0])
