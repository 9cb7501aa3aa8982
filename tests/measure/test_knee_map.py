"""The knee over assumptions: operational bound, simulated knee, feasible set."""

import math
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.experiment import Experiment, KneeMap
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.measure.knee_map import (
    fact_rows,
    feasible_set,
    knee_rows,
    map_knees,
    operational_bound,
    simulated_knee,
    summary_rows,
)
from anarchy.serving.service_times.lookup import Latency, load_latency, load_service_times

SCENARIO = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
AGREEMENT = 0.05  # how far a simulated knee may lie from the bound


@pytest.fixture
def latency() -> Latency:
    return load_latency(paths.ROOT / paths.LATENCY, SCENARIO.model.latency)


def changed(**values: Any) -> Scenario:
    return with_fields(SCENARIO, {k.replace("__", "."): v for k, v in values.items()}, "test")


def knee_of(scenario: Scenario, latency: Latency) -> int | None:
    return simulated_knee(
        scenario, latency, busy=0.995, largest=512, requests=800, warmup_cycles=3, seed=1
    )


@pytest.mark.parametrize(
    "scenario",
    [
        changed(),
        changed(workload__output_tokens=40),
        changed(engine__handoff__overhead=0.3),
        changed(topology__decode=5),
        changed(engine__cache__enabled=False),
        changed(frontend__overhead=0.3),
        changed(frontend__overhead=0.02, frontend__serial=True),
        changed(frontend__overhead=0.005, frontend__serial=True),
    ],
    ids=[
        "published",
        "short-output",
        "long-hand-off",
        "five-decode-workers",
        "no-cache",
        "slow-host",
        "frontend-is-the-bottleneck",
        "frontend-is-not",
    ],
)
def test_simulated_knee_agrees_with_the_operational_bound(
    scenario: Scenario, latency: Latency
) -> None:
    bound = operational_bound(scenario, latency)
    knee = knee_of(scenario, latency)
    assert bound is not None
    assert knee is not None
    assert abs(knee / bound - 1) < AGREEMENT


def test_batched_prefill_moves_the_bound_up(latency: Latency) -> None:
    serial = operational_bound(changed(engine__cache__enabled=False), latency)
    batched = operational_bound(
        changed(engine__cache__enabled=False, engine__prefill__batch_requests=4), latency
    )
    assert serial is not None
    assert batched is not None
    assert batched > 1.5 * serial


def test_a_host_moves_the_bound_by_its_share_of_the_bottleneck(latency: Latency) -> None:
    """A delay of h adds h/D; a serial process of h adds that too, or divides by h instead of D."""

    def bound(**frontend: Any) -> float:
        values = {f"frontend__{name}": value for name, value in frontend.items()}
        found = operational_bound(changed(engine__cache__enabled=False, **values), latency)
        assert found is not None
        return found

    demand = latency.prefill(128)
    plain = bound()
    assert bound(overhead=0.1) == pytest.approx(plain + 0.1 / demand, rel=1e-3)
    assert bound(overhead=demand / 2, serial=True) == pytest.approx(plain + 0.5, rel=1e-3)
    # Half the rate leaves smaller decode batches, which are a little faster.
    assert bound(overhead=2 * demand, serial=True) == pytest.approx(1 + plain / 2, rel=0.1)


def test_the_last_block_of_a_cached_prompt_is_work_of_a_full_step(latency: Latency) -> None:
    """64 prompts of one token each are a step of one short prompt; of 16 tokens each, a longer."""

    def bound(whole: bool) -> float:
        cache = {"enabled": True, "block_tokens": 16, "whole_blocks": whole}
        fields = {"engine.prefill.batch_requests": 64, "workload.output_tokens": 1}
        scenario = with_fields(SCENARIO, {**fields, "engine.cache": cache}, "test")
        found = operational_bound(scenario, latency)
        assert found is not None
        return found

    step, own = latency.prefill(64 * 16), latency.prefill(16)
    assert bound(False) / bound(True) == pytest.approx(step / own, rel=0.05)


def test_no_bound_for_several_prefill_workers(latency: Latency) -> None:
    assert operational_bound(changed(topology__prefill=2), latency) is None


def study(**changes: Any) -> KneeMap:
    fields: dict[str, Any] = {
        "kind": "knee-map",
        "title": "t",
        "question": "q",
        "scenarios": ["a", "b"],
        "axes": {"workload.output_tokens": [40, 144]},
        "above": 96,
        "upto": 128,
        "estimators": {"plain": {}},
        "facts": [
            {"claim": "C03", "text": "x", "measure": "poa-hat:plain", "clients": 8, "at_most": 1.5}
        ],
    }
    return KneeMap.model_validate(fields | changes)


def test_map_marks_combinations_inside_the_published_interval(latency: Latency) -> None:
    rows = map_knees(
        study(),
        "a",
        SCENARIO,
        lambda model: latency,
        [{"workload.output_tokens": 40}, {"workload.output_tokens": 144}],
        requests=400,
        warmup_cycles=2,
        seed=1,
    )
    assert [row["inside"] for row in rows] == [False, True]
    assert rows[0]["fact:0"] is None, "only members are judged"
    assert rows[1]["fact:0"] == pytest.approx(1, abs=0.1)


def test_an_axis_over_the_service_times_is_looked_up() -> None:
    rows = map_knees(
        study(axes={"model.latency": ["x"]}, facts=[], replications=2),
        "a",
        SCENARIO,
        lambda model: load_service_times(paths.ROOT / paths.LATENCY, model),
        [{"model.latency": f"llama31-70b-fp8-tp4-b200-{engine}"} for engine in ("trtllm", "vllm")],
        requests=300,
        warmup_cycles=2,
        seed=1,
    )
    assert rows[0]["operational"] != rows[1]["operational"]
    assert rows[0]["value"] != rows[1]["value"]
    assert all(r["lo"] <= r["value"] <= r["hi"] and r["n"] == 2 for r in rows)


def row(scenario: str, tokens: int, knee: int | None, fact: float | None = None) -> dict[str, Any]:
    return {
        "scenario": scenario,
        "workload.output_tokens": tokens,
        "id": "knee",
        "value": knee,
        "operational": 100.0,
        "inside": knee is not None and 96 < knee <= 128,
        "fact:0": fact,
    }


ROWS = [row("a", 40, 50), row("a", 144, 110, 1.2), row("b", 40, 100, 1.0), row("b", 144, 97, 2.0)]


def test_feasible_is_what_all_scenarios_allow_and_chosen_what_they_use() -> None:
    feasible = feasible_set(study(), ROWS, {"a": SCENARIO, "b": SCENARIO})
    assert [member["feasible"] for member in feasible] == [False, True]
    assert [member["chosen"] for member in feasible] == [False, True]
    assert feasible[1]["knee:a"] == 110


def test_a_hole_in_the_map_is_refused() -> None:
    with pytest.raises(InputError, match="no knee of b"):
        feasible_set(study(), ROWS[:2], {"a": SCENARIO, "b": SCENARIO})


def test_facts_are_judged_on_members_in_all_scenarios() -> None:
    feasible = feasible_set(study(), ROWS, {"a": SCENARIO, "b": SCENARIO})
    fact = fact_rows(study(), ROWS, feasible)[0]
    assert (fact["lo"], fact["hi"], fact["n"], fact["met"]) == (1.2, 2.0, 1, 0)
    easier = study(
        facts=[
            {"claim": "C03", "text": "x", "measure": "poa-hat:plain", "clients": 8, "at_least": 1}
        ]
    )
    assert fact_rows(easier, ROWS, feasible)[0]["met"] == 1


def test_facts_of_an_empty_set_are_met_by_nobody() -> None:
    none = [row("a", 40, None), row("b", 40, None)]
    narrow = study(axes={"workload.output_tokens": [40]})
    feasible = feasible_set(narrow, none, {"a": SCENARIO, "b": SCENARIO})
    fact = fact_rows(narrow, none, feasible)[0]
    assert (fact["lo"], fact["n"], fact["met"]) == (None, 0, 0)


def test_summary_counts_members_and_the_largest_error() -> None:
    feasible = feasible_set(study(), ROWS, {"a": SCENARIO, "b": SCENARIO})
    summary = {entry["id"]: entry["value"] for entry in summary_rows(study(), ROWS, feasible)}
    assert summary["combinations"] == 2
    assert summary["feasible"] == 1
    assert (summary["least-knee"], summary["largest-knee"]) == (97, 110)
    assert math.isclose(summary["bound-error:40"], 0.5)
    assert math.isclose(summary["bound-error:144"], 0.1)
    assert math.isclose(summary["bound-error-inside:144"], 0.1)
    assert summary["bound-error-inside:40"] == 0


def test_knee_of_each_sweep_is_an_interval_beside_its_bound(latency: Latency) -> None:
    experiment = Experiment.model_validate(
        {
            "title": "t",
            "question": "q",
            "scenarios": ["70b-1p2d"],
            "sweep": {
                "workload.clients": [64, 96, 128],
                "workload.output_tokens": [72, 144],
            },
            "measures": ["prefill-load"],
            "knee": {},
            "figure": {"x": "workload.clients", "y": ["prefill-load"]},
            "table": {"measures": ["prefill-load"]},
        }
    )
    loads = {(64, 144): 0.6, (96, 144): 0.9, (128, 144): 1.0}
    loads |= {(64, 72): 1.0, (96, 72): 1.0, (128, 72): 1.0}
    rows = [
        {
            "scenario": "70b-1p2d",
            "workload.clients": clients,
            "workload.output_tokens": tokens,
            "id": "prefill-load",
            "value": load,
        }
        for (clients, tokens), load in loads.items()
    ]
    found = {
        (r["workload.output_tokens"], r["id"]): r["value"]
        for r in knee_rows(experiment, rows, {"70b-1p2d": SCENARIO}, lambda model: latency)
    }
    assert (found[144, "knee-lo"], found[144, "knee-hi"]) == (96, 128)
    assert (found[72, "knee-lo"], found[72, "knee-hi"]) == (None, 64)
    assert 96 < found[144, "operational-bound"] < 128
    assert 48 < found[72, "operational-bound"] < 64
