"""The rows of a run's brackets by phase: what they compare, and what they refuse."""

import numpy as np
import pytest

from anarchy.common.errors import InputError
from anarchy.config.scenario import with_fields
from anarchy.measure.bracket.criteria import CRITERIA
from anarchy.measure.bracket.phases.by_phase import brackets
from anarchy.measure.bracket.run_bracket import bracket
from anarchy.measure.bracket.schedules.search import schedules
from anarchy.serving.simulate import simulate
from tests.measure.bracket.phases.small_loops import SEED, latency, phased

CONTROLLER = {
    "interval": 0.1,
    "window": 0.3,
    "polls": 1,
    "cooldown": 0.0,
    "thresholds": {"transition": 0.05, "saturated": 0.1},
}
ORDERS = {"warm": [(1.0, 2), (1.0, 9), (1.0, 2)], "cold": [(1.0, 9), (1.0, 2)]}


@pytest.mark.parametrize("order", ORDERS)
def test_both_arms_of_a_controller_have_one_optimum(order: str) -> None:
    """Whether it switches or not, the phases have the same bounds and the same schedules."""
    rows = []
    for dry_run in (False, True):
        controller = CONTROLLER | {"dry_run": dry_run}
        scenario = phased(ORDERS[order], controller=controller, router__policy="kv")
        log = simulate(scenario, latency(), seed=SEED).log
        others = list(schedules(scenario, latency(), seed=SEED))
        assert len(others) == 3
        rows.append(brackets(log, scenario, latency(), seed=SEED, schedules=others))
        for row in rows[-1]:
            assert 1 <= row["lo"] <= row["hi"]
            assert row["value"] >= row["found"] or row["id"] == "throughput"
    names = [chr(ord("a") + k) for k in range(len(ORDERS[order]))]
    wanted = [(phase, of.name) for phase in [*names, None] for of in CRITERIA]
    for arm in rows:
        assert [(row["phase"], row["id"]) for row in arm] == wanted
        whole = arm[-1]["n"]
        assert sum(row["n"] for row in arm[::4]) == 2 * whole
    for switched, static in zip(*rows, strict=True):
        assert switched["bound"] == pytest.approx(static["bound"], rel=1e-3)


def test_a_run_without_phases_has_the_bracket_of_the_whole() -> None:
    scenario = with_fields(phased([(1.0, 4)]), {"workload.phases": []}, "test")
    log = simulate(scenario, latency(), seed=SEED, requests=50, warmup_cycles=0).log
    rows = brackets(log, scenario, latency(), seed=SEED)
    assert rows == bracket(log, scenario, latency(), seed=SEED)
    assert "phase" not in rows[0]


def test_many_more_draws_than_a_slow_run_needs_are_made() -> None:
    """A router that sends all to a slow worker does little; any other would do much more."""
    slow = phased([(8.0, 6)], topology__decode_speed=[0.1, 1.0])
    plan = np.zeros((500, 2), np.int64)
    log = simulate(slow, latency(), seed=SEED, plan=plan).log
    other = simulate(slow, latency(), seed=SEED, plan=plan + np.array([0, 1])).log
    assert len(other) > 4 * len(log)
    row = brackets(log, slow, latency(), seed=SEED, schedules=[other])[3]
    assert row["id"] == "throughput"
    assert row["value"] < row["found"] <= row["bound"]


def test_a_log_that_is_not_the_scenarios_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anarchy.measure.bracket.phases.by_phase.MOST_DRAWS", 10_000)
    fields = {"workload__output_lengths": {"kind": "geometric", "mean_tokens": 30}}
    scenario = phased([(2.0, 3)], **fields)
    log = simulate(scenario, latency(), seed=SEED).log
    with pytest.raises(InputError, match="the scenario draws"):
        brackets(log, scenario, latency(), seed=SEED + 1)
    endless = phased([(1e8, 3)], **fields)
    with pytest.raises(InputError, match=r"more than [0-9,]+ requests could be done"):
        brackets(log, endless, latency(), seed=SEED)
    paged = with_fields(scenario, {"engine.memory.paged": True}, "test")
    with pytest.raises(InputError, match=r"engine\.memory\.paged"):
        brackets(log, paged, latency(), seed=SEED)
