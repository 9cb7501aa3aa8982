"""Means over whole runs with a KV router, whose ties and draws cannot be seeded in the replay.

`measure_windows` runs many short traces: all disjoint windows of the recorded trace, several times
each. `measure_trend` replays the whole trace at some temperatures and by round robin. Every row is
one run of one side: its mean TTFT in seconds and the share of prompt tokens that it reused.
"""

from collections.abc import Callable, Sequence
from typing import Any

from anarchy.common.files import Row
from anarchy.measure.validation.dynamo.replay import MS, Request, Times, ours, replay

WINDOW = 250
"""Requests of a short run."""

WINDOW_TEMPERATURES = (0.0, 1.0)
TREND_TEMPERATURES = (0.0, 0.1, 0.5, 1.0)
TREND_POOLS = (8, 8)

Means = tuple[float, float]
"""Mean TTFT in seconds, share of prompt tokens reused."""

Runner = Callable[[Sequence[Request], int, tuple[int, int], float | None], Means]
"""A run of some requests with a seed, on a topology, with a temperature or by round robin."""


def run_theirs(
    requests: Sequence[Request],
    seed: int,
    topology: tuple[int, int],
    temperature: float | None,
    times: Times | None = (100.0, 8.0),
) -> Means:
    """A replay, which takes no seed."""
    result = replay(requests, topology=topology, temperature=temperature, times=times)
    summary: dict[str, Any] = result.summary
    return summary["mean_ttft_ms"] / MS, summary["prefix_cache_reused_ratio"]


def run_theirs_by_default(
    requests: Sequence[Request], seed: int, topology: tuple[int, int], temperature: float | None
) -> Means:
    """A replay with the step times that it has by default."""
    return run_theirs(requests, seed, topology, temperature, times=None)


def run_ours(
    requests: Sequence[Request], seed: int, topology: tuple[int, int], temperature: float | None
) -> Means:
    """Our run."""
    log = ours(requests, seed=seed, topology=topology, temperature=temperature)
    return float(log.ttft.mean()), float(log.cached_tokens.sum() / log.input_tokens.sum())


def windows(requests: Sequence[Request]) -> list[Sequence[Request]]:
    """Disjoint windows of `WINDOW` requests; a shorter rest is left out."""
    return [
        requests[start : start + WINDOW] for start in range(0, len(requests) - WINDOW + 1, WINDOW)
    ]


def measure_windows(
    side: str,
    run: Runner,
    requests: Sequence[Request],
    repeats: int,
    temperatures: Sequence[float] = WINDOW_TEMPERATURES,
) -> list[Row]:
    """`repeats` runs of every window at every temperature, each with a seed of its own."""
    rows = []
    for temperature in temperatures:
        for stratum, window in enumerate(windows(requests)):
            for repeat in range(repeats):
                means = run(window, stratum * repeats + repeat, (3, 5), temperature)
                rows.append(_row("windows", side, temperature, stratum, repeat, means))
    return rows


def measure_trend(
    side: str,
    run: Runner,
    requests: Sequence[Request],
    repeats: int,
    temperatures: Sequence[float] = TREND_TEMPERATURES,
) -> list[Row]:
    """`repeats` runs of all requests at every temperature, and one by round robin."""
    rows = [_row("trend", side, None, 0, 0, run(requests, 0, TREND_POOLS, None))]
    for temperature in temperatures:
        for repeat in range(repeats):
            means = run(requests, repeat, TREND_POOLS, temperature)
            rows.append(_row("trend", side, temperature, 0, repeat, means))
    return rows


def _row(
    group: str, side: str, temperature: float | None, stratum: int, repeat: int, means: Means
) -> Row:
    router = "round-robin" if temperature is None else f"kv-{temperature}"
    return {
        "id": f"{group}-{side}-{router}-{stratum}-{repeat}",
        "group": group,
        "side": side,
        "temperature": temperature,
        "stratum": stratum,
        "ttft": means[0],
        "reuse": means[1],
    }
