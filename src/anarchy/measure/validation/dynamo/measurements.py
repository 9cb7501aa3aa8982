"""Everything measured with the wheel, as rows; how much of it is for the caller to say."""

from collections.abc import Callable
from dataclasses import dataclass

from anarchy.common.files import Row
from anarchy.measure.validation.dynamo.names import DEFAULT, DYNAMO, OURS
from anarchy.measure.validation.dynamo.per_request import (
    CASES,
    KNOWN,
    KNOWN_SEED,
    bursts,
    compare_case,
)
from anarchy.measure.validation.dynamo.per_run import (
    measure_trend,
    measure_windows,
    run_ours,
    run_theirs,
    run_theirs_by_default,
)
from anarchy.measure.validation.dynamo.replay import recorded_requests
from anarchy.measure.validation.dynamo.router_choices import (
    measure_choices,
    our_choices,
    their_choices,
)
from anarchy.measure.validation.dynamo.router_parts import compare_cheapest, compare_overlaps

COMPARED = 1000
"""Requests compared one by one in each case."""


@dataclass(frozen=True)
class Effort:
    """Trials of each setting of the router, runs of each window, runs of the whole trace."""

    their_trials: int = 10_000
    our_trials: int = 2500
    repeats: int = 4
    trend: int = 8
    default_trend: int = 3


def measure(effort: Effort, say: Callable[[str], None]) -> list[Row]:
    """All rows; `say` hears what comes next."""
    requests = recorded_requests()
    say("requests, one by one")
    rows = [compare_case(case, requests[:COMPARED]) for case in CASES]
    rows.append(compare_case(KNOWN, bursts(KNOWN_SEED)))
    say("overlaps and cheapest workers")
    rows += [compare_overlaps(), compare_cheapest()]
    for side, choose, trials in (
        (DYNAMO, their_choices, effort.their_trials),
        (OURS, our_choices, effort.our_trials),
    ):
        say(f"choices of the router: {side}")
        rows += measure_choices(side, choose, trials)
    for side, run in ((DYNAMO, run_theirs), (OURS, run_ours)):
        say(f"short runs: {side}")
        rows += measure_windows(side, run, requests, effort.repeats)
    for side, run, repeats in (
        (DYNAMO, run_theirs, effort.trend),
        (OURS, run_ours, effort.trend),
        (DEFAULT, run_theirs_by_default, effort.default_trend),
    ):
        say(f"the whole trace: {side}")
        rows += measure_trend(side, run, requests, repeats)
    return rows
