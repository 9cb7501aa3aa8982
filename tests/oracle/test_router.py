"""Our router and Dynamo's: overlaps, the cheapest worker, draws, and whole runs with draws.

Their draws cannot be seeded, so two tests here may fail by chance. `FALSE_ALARM` bounds how often
one of them does where both routers are the same; it is shared out evenly, first between the two and
then, by Bonferroni's inequality, among the comparisons of each.
"""

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import settings

from anarchy.common.files import Row
from anarchy.measure.validation.dynamo.names import DYNAMO, OURS
from anarchy.measure.validation.dynamo.per_run import (
    WINDOW_TEMPERATURES,
    Runner,
    measure_windows,
    run_ours,
    run_theirs,
    windows,
)
from anarchy.measure.validation.dynamo.permutation_test import Difference, compare_runs
from anarchy.measure.validation.dynamo.replay import Request, ours
from anarchy.measure.validation.dynamo.router_choices import (
    measure_choices,
    our_choices,
    their_choices,
)
from anarchy.measure.validation.dynamo.router_parts import compare_cheapest, compare_overlaps
from anarchy.measure.validation.dynamo.verdicts import judge_choice

FALSE_ALARM = 1e-3
SHARE = FALSE_ALARM / 2
EXAMPLES = settings().max_examples
TRIALS, STATES = 10 * EXAMPLES, 20 * EXAMPLES
PERMUTATIONS = 50_000


@pytest.mark.random
def test_overlaps_equal_those_of_the_radix_tree() -> None:
    assert compare_overlaps(STATES)["equal"] == STATES


@pytest.mark.random
def test_the_cheapest_worker_is_the_selection_services() -> None:
    assert compare_cheapest(STATES)["equal"] == STATES


@pytest.mark.random
def test_workers_are_taken_as_often_as_the_softmax_says() -> None:
    """In each state the binomial test is exact, so Bonferroni's bound holds for any counts."""
    rows = [judge_choice(row) for row in measure_choices(DYNAMO, their_choices, TRIALS)]
    drawn = [row for row in rows if row["p"] is not None]
    assert len(drawn) >= 50
    assert not [row for row in drawn if row["p"] < SHARE / len(drawn)]
    certain = [row for row in rows if row["p"] is None]
    assert certain
    assert not [row for row in certain if not row["holds"]]


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_our_router_draws_alike(temperature: float) -> None:
    rows = measure_choices(OURS, our_choices, 500, [temperature], [2, 4])
    assert all(judge_choice(row)["p"] > SHARE / len(rows) for row in rows)


@pytest.mark.parametrize("temperature", WINDOW_TEMPERATURES)
def test_kv_and_its_successor_make_the_same_runs(
    temperature: float, recorded: list[Request]
) -> None:
    """Without lower tiers and weights of requests both policies are one, draw by draw."""
    one = ours(recorded[:500], temperature=temperature)
    other = ours(recorded[:500], temperature=temperature, fields={"router.policy": "kv-1.6"})
    assert one.prefill_worker.tolist() == other.prefill_worker.tolist()
    assert one.done.tolist() == other.done.tolist()


STEPS = {0.0: 2, 1.0: 1}
"""One of so many windows is run at a temperature: at 0 only ties are drawn."""


def run_windows(
    side: str, run: Runner, requests: Sequence[Request], temperatures: Iterable[float] = STEPS
) -> list[Row]:
    """One run of each window."""
    rows = []
    for temperature in temperatures:
        chosen = [r for window in windows(requests)[:: STEPS[temperature]] for r in window]
        rows += measure_windows(side, run, chosen, 1, [temperature])
    return rows


@pytest.fixture(scope="module")
def their_windows(recorded: list[Request]) -> list[Row]:
    return run_windows(DYNAMO, run_theirs, recorded)


def differences(theirs: Sequence[Row], mine: Sequence[Row]) -> list[Difference]:
    """Of TTFT and reuse, at every temperature of ours; one run a window and side."""
    return [
        compare_runs(
            *(
                [[run[field]] for run in runs if run["temperature"] == temperature]
                for runs in (theirs, mine)
            ),
            PERMUTATIONS,
        )
        for temperature in sorted({run["temperature"] for run in mine})
        for field in ("ttft", "reuse")
    ]


def test_runs_agree_within_their_noise(their_windows: list[Row], recorded: list[Request]) -> None:
    """One run of each window, labels exchanged within it: exact whatever the tails of a run.

    Our seeds are fixed, so only their half of the noise is new in every run of this test.
    """
    found = differences(their_windows, run_windows(OURS, run_ours, recorded))
    assert not [one for one in found if one.p_value < SHARE / len(found)]


WRONG = {
    "no-overlap": {"router.overlap_weight": 0.0},
    "less-warm": {"router.temperature": 0.7},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_another_router_is_found_out(
    wrong: str, their_windows: list[Row], recorded: list[Request]
) -> None:
    """The test above has the power to tell: each of these routers fails it."""

    def run(
        requests: Sequence[Request], seed: int, topology: tuple[int, int], temperature: float | None
    ) -> tuple[float, float]:
        log = ours(
            requests, seed=seed, topology=topology, temperature=temperature, fields=WRONG[wrong]
        )
        return float(log.ttft.mean()), float(log.cached_tokens.sum() / log.input_tokens.sum())

    mine = run_windows(OURS, run, recorded, [1.0])
    found = differences(their_windows, mine)
    assert min(one.p_value for one in found) < SHARE / 4
