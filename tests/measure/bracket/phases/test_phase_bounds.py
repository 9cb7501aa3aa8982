"""No schedule beats the bounds of a phase: all of small instances, and runs of random ones."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest

from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.workload import ClosedLoop
from anarchy.measure.bracket.closed_loop import ClosedLoopBounds, draw
from anarchy.measure.bracket.criteria import CRITERIA
from anarchy.measure.bracket.phases.by_phase import brackets
from anarchy.measure.bracket.phases.crowds import Crowds
from anarchy.measure.bracket.phases.draws import draw_phases
from anarchy.measure.bracket.phases.phase_bounds import PhaseBounds
from anarchy.measure.bracket.phases.windows import windows
from anarchy.measure.bracket.service_limits import ServiceLimits
from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.rules.plan import NO_PLAN, Ints
from anarchy.serving.simulate import simulate
from tests.measure.bracket.phases.small_loops import SEED, latency, phased

ROUNDING = 1 + 1e-9

LOOPS = {
    "up and down": phased([(0.1, 1), (0.15, 3), (0.1, 1)]),
    "down and up": phased([(0.15, 3), (0.05, 1), (0.1, 2)]),
    "saturated prefill": phased([(0.1, 1), (0.16, 3)], workload__output_tokens=1),
    "two prefill workers": phased([(0.1, 1), (0.2, 3)], topology__prefill=2, topology__decode=1),
    "unequal decode workers": phased([(0.1, 1), (0.2, 3)], topology__decode_speed=[1.0, 2.5]),
    "random lengths": phased(
        [(0.15, 3), (0.1, 2)],
        workload__output_lengths={"kind": "geometric", "mean_tokens": 4},
    ),
    "one slot": phased([(0.1, 3), (0.2, 2)], engine__decode__slots=1),
    "first token in decode": phased([(0.1, 1), (0.25, 3)], engine__first_token="decode-step"),
    "that thinks": phased([(0.15, 1), (0.2, 3)], workload__think_time=0.03),
}
"""Few enough requests that all assignments can be tried."""

MOST_SENT = 9


def run(scenario: Scenario, plan: Ints = NO_PLAN) -> RequestLog:
    return simulate(scenario, latency(), seed=SEED, plan=plan, simulator="reference").log


def measured(log: RequestLog, scenario: Scenario) -> list[float]:
    """Each criterion in each phase and in the whole run, in the order of the rows; nan is none."""
    workload = scenario.workload
    assert isinstance(workload, ClosedLoop)
    ends = np.cumsum([0.0, *(phase.duration for phase in workload.phases)]).tolist()
    found = []
    for start, end in [*pairwise(ends), (0.0, ends[-1])]:
        part = log.select((log.done > start) & (log.done <= end))
        found += [part.e2e.mean(), part.ttft.mean()] if len(part) else [np.nan, np.nan]
        found += [np.percentile(part.ttft, 99) if len(part) else np.nan]
        found += [len(part) / (end - start)]
    return found


@dataclass(frozen=True)
class Known:
    """The rows of one run's brackets, and the best value of each over all assignments."""

    rows: list[dict[str, Any]]
    best: list[float]


@cache
def known(name: str) -> Known:
    scenario = LOOPS[name]
    log = run(scenario)
    rows = brackets(log, scenario, latency(), seed=SEED)
    sent = len(log) + scenario.workload.clients  # type: ignore[union-attr]
    assert sent <= MOST_SENT, f"{sent} requests are too many to try all"
    pools = [scenario.topology.prefill, scenario.topology.decode]
    choices = [range(size) for size in pools for _ in range(sent)]
    if not scenario.topology.decode_speed:  # workers are alike: the first request takes the first
        choices[0] = choices[sent] = range(1)
    values = []
    for workers in product(*choices):
        plan = np.array(workers, np.int64).reshape(len(pools), sent).T
        other = run(scenario, np.ascontiguousarray(plan))
        assert len(other) <= sent, "the plan has to cover all"
        values.append(measured(other, scenario))
    least, most = np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    is_rate = [row["id"] == "throughput" for row in rows]
    return Known(rows, np.where(is_rate, most, least).tolist())


@pytest.mark.parametrize("name", LOOPS)
def test_no_assignment_beats_a_bound(name: str) -> None:
    found = known(name)
    phases = {row["phase"] for row in found.rows}
    assert None in phases
    assert len(phases) == len(LOOPS[name].workload.phases) + 1  # type: ignore[union-attr]
    for row, best in zip(found.rows, found.best, strict=True):
        if row["id"] == "throughput":
            assert best <= row["bound"] * ROUNDING, row
        elif np.isfinite(best):
            assert row["bound"] <= best * ROUNDING, row


def test_bounds_are_reached() -> None:
    """For each criterion some phase has its optimum within a tenth of the bound."""
    gaps: dict[str, list[float]] = {criterion.name: [] for criterion in CRITERIA}
    for name in LOOPS:
        for row, best in zip(known(name).rows, known(name).best, strict=True):
            if np.isfinite(best) and row["phase"] is not None:
                gap = best / row["bound"]
                gaps[row["id"]].append(1 / gap if row["id"] == "throughput" else gap)
    assert all(min(gap) < 1.1 for gap in gaps.values()), gaps


def random_loop(rng: np.random.Generator) -> Scenario:
    """Two to four phases of up to nine clients, any router, and whatever else is covered."""
    phases = [
        (float(rng.uniform(0.05, 1.0)), int(rng.integers(1, 10))) for _ in range(rng.integers(2, 5))
    ]
    fields: dict[str, Any] = {
        "topology__prefill": int(rng.integers(1, 3)),
        "topology__decode": int(rng.integers(1, 4)),
        "router__policy": str(rng.choice(["kv", "random", "round-robin", "join-shortest-queue"])),
        "workload__output_tokens": int(rng.integers(1, 30)),
        "workload__think_time": float(rng.choice([0.0, 0.002, 0.1])),
        "workload__ramp": rng.choice([0.0, 0.2]).item(),
        "engine__first_token": str(rng.choice(["prefill", "handoff", "decode-step"])),
        "engine__decode__slots": int(rng.choice([1, 3, 64])),
        "engine__prefill__batch_requests": int(rng.choice([1, 4])),
        "engine__cache__enabled": bool(rng.random() < 0.5),
        "frontend__overhead": rng.choice([0.0, 0.01]).item(),
        "frontend__serial": bool(rng.random() < 0.5),
    }
    if rng.random() < 0.5:
        fields["workload__output_lengths"] = {"kind": "geometric", "mean_tokens": 12}
    if fields["router__policy"] == "kv":
        fields["controller"] = {"interval": 0.1, "window": 0.3, "polls": 1, "cooldown": 0.0}
        fields["controller"] |= {"thresholds": {"transition": 0.05, "saturated": 0.1}}
        fields["controller"]["dry_run"] = bool(rng.random() < 0.3)
    return phased(phases, **fields)


@pytest.mark.parametrize("number", range(50))
def test_no_run_beats_a_bound(number: int) -> None:
    """Whatever the router, with a controller or without, and where requests go at random."""
    rng = np.random.default_rng([SEED, number])
    scenario, times = random_loop(rng), latency(uneven=number % 2 == 1)
    plan = NO_PLAN
    if number % 3 == 0:
        workers = scenario.topology.prefill, scenario.topology.decode
        plan = np.stack([rng.integers(0, size, 2000) for size in workers], axis=1)
    log = simulate(scenario, times, seed=SEED, plan=plan, simulator="reference").log
    rows = brackets(log, scenario, times, seed=SEED)
    for row, value in zip(rows, measured(log, scenario), strict=True):
        if row["id"] == "throughput":
            assert value == pytest.approx(row["value"] or 0.0)
            assert value <= row["bound"] * ROUNDING, row
        elif np.isfinite(value):
            assert value == pytest.approx(row["value"])
            assert row["bound"] <= value * ROUNDING, row
            assert 1 == row["lo"] <= row["hi"] * ROUNDING


def bounds(scenario: Scenario, count: int) -> list[PhaseBounds]:
    """Of each phase and of the whole run."""
    workload = scenario.workload
    assert isinstance(workload, ClosedLoop)
    draws = draw_phases(scenario, latency(), SEED, 0, count)
    crowds = Crowds(draws, ServiceLimits(scenario, latency(), workload.clients))
    return [
        PhaseBounds(window, draws, crowds, count) for window in windows(workload, crowds.longest)
    ]


@pytest.mark.parametrize("clients", [1, 4, 12])
def test_one_phase_is_the_static_bound(clients: int) -> None:
    """As many are done in it as the other theorem has time for, and no more."""
    scenario = phased([(3.0, clients)])
    phase, whole = bounds(scenario, 4000)
    assert phase.completions == whole.completions > clients
    static = with_fields(scenario, {"workload.phases": []}, "test")
    limits = ServiceLimits(static, latency(), clients)
    for more in (0, 1):
        draws = draw(static, latency(), SEED, 0, phase.completions + more)
        of_static = ClosedLoopBounds(draws, limits)
        assert (of_static.least_time > 3.0) == bool(more)
        if not more:
            assert phase.e2e_mean == pytest.approx(of_static.e2e_mean, rel=0.2)
            assert phase.e2e_mean <= of_static.e2e_mean * ROUNDING


def test_nothing_is_said_of_a_phase_too_short_for_a_request() -> None:
    scenario = phased([(0.01, 2), (0.5, 2)])
    first, *_ = bounds(scenario, 500)
    assert first.completions == 0
    assert np.isinf([first.e2e_mean, first.ttft_mean, first.ttft_p99]).all()
    rows = brackets(run(scenario), scenario, latency(), seed=SEED)
    for row in rows[: len(CRITERIA)]:
        assert (row["phase"], row["n"], row["lo"], row["hi"]) == ("a", 0, None, None)


def test_a_phase_may_end_what_the_one_before_has_begun() -> None:
    """What is in the system when it begins, and no more than that, costs it nothing."""
    alone, *_ = bounds(phased([(1.0, 4)]), 2000)
    _, later, *_ = bounds(phased([(1.0, 4), (1.0, 4)]), 2000)
    assert alone.completions < later.completions <= alone.completions + 4


def test_both_orders_have_bounds_of_their_own() -> None:
    """A phase that begins the run has an empty system, and what follows a crowd does not."""
    below, saturated, _ = bounds(phased([(1.0, 2), (1.0, 9)]), 2000)
    saturated_first, below_after, _ = bounds(phased([(1.0, 9), (1.0, 2)]), 2000)
    assert saturated_first.completions < saturated.completions
    assert below.completions < below_after.completions
    assert saturated_first.e2e_mean >= saturated.e2e_mean


def test_long_phases_are_enclosed_closely() -> None:
    """Their ends matter little, whichever comes first: by Little's law and by what prefill can."""
    for loads in ([2, 12, 2], [12, 2, 12]):
        scenario = phased([(60.0, clients) for clients in loads], topology__decode=3)
        log = simulate(scenario, latency(), seed=SEED).log
        for row in brackets(log, scenario, latency(), seed=SEED):
            assert row["hi"] >= 1
            if row["id"] in ("throughput", "e2e-mean"):
                assert row["hi"] < 1.06, row


@pytest.mark.parametrize("ramp", [0.0, 0.02])
def test_the_tail_of_a_burst_is_nobodys_fault(ramp: float) -> None:
    """Clients that are added together wait for each other's prompts, wherever these go."""
    scenario = phased([(5.0, 12), (5.0, 2), (5.0, 12)], workload__ramp=ramp)
    log = simulate(scenario, latency(), seed=SEED).log
    rows = brackets(log, scenario, latency(), seed=SEED)
    first, drained, second, _ = (row["hi"] for row in rows if row["id"] == "ttft-p99")
    assert 1 <= first < 1.25
    assert 1 <= second < 1.5, "two of the twelve may have been there before"
    assert drained > 2, "nobody is added"
