"""The whole suite: groups of checks, which are the jobs of a build."""

from collections.abc import Mapping

from anarchy.config.scenario import Scenario
from anarchy.config.settings import Settings
from anarchy.measure.validation.checks import Row
from anarchy.measure.validation.closed_loops import (
    HANDOFFS,
    OUTPUT_TOKENS,
    check_knees,
    check_network,
    check_response_times,
)
from anarchy.measure.validation.conservation import check_conservation
from anarchy.measure.validation.open_queues import check_open_queue
from anarchy.serving.service_times.lookup import Latency

OPEN_QUEUES = {
    "mm1": ("mm1",),
    "md1": ("md1",),
    "mmc": ("mmc",),
    "processor-sharing": ("ps-exponential", "ps-fixed", "ps-mixed"),
    "two-choices": ("jsq2",),
}
"""Queues of `open_queues` by the group that checks them."""

GROUPS = (*OPEN_QUEUES, "closed-loops")
"""Groups of checks: the jobs of the suite."""

SCENARIOS = ("70b-1p2d", "70b-1p5d", "340b-1p2d")
"""The published topologies, whose closed loops and knees are checked."""

FULL_RUNS = 40_000
"""Requests times replications of a point in the full build, which is effort 1."""


def effort(settings: Settings) -> float:
    """The share of the full build's requests that a build can afford, from what its points get."""
    return min(1.0, settings.requests * settings.replications / FULL_RUNS)


def check_group(
    group: str,
    seed: int,
    share: float,
    scenarios: Mapping[str, Scenario],
    tables: Mapping[str, Latency],
) -> list[Row]:
    """The rows of one of `GROUPS`, not yet judged.

    `share` scales the requests of all checks that have intervals; knees are searched at the ends
    of their grid only if it is below 1. `scenarios` are those of `SCENARIOS`, `tables` their
    service times, by the same names.
    """
    if group in OPEN_QUEUES:
        return [row for name in OPEN_QUEUES[group] for row in check_open_queue(name, seed, share)]
    tokens, handoffs = OUTPUT_TOKENS, HANDOFFS
    if share < 1:
        tokens, handoffs = (tokens[0], tokens[-1]), (handoffs[0], handoffs[-1])
    return [
        *check_network(seed, share),
        *check_response_times(scenarios, tables, seed),
        *check_knees(scenarios, tables, seed, tokens, handoffs),
        *check_conservation(seed, share),
    ]
