"""Deciding the combinations of a knee map: by laws where they can, by simulation elsewhere."""

from functools import partial
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.config.experiment import KneeMap
from anarchy.config.settings import load_scenario
from anarchy.measure.knee.knee_map import MOST_PARTS, Row, count_parts, map_knees
from anarchy.serving.service_times.lookup import load_service_times
from tests.measure.knee.conftest import study

SCENARIOS = {
    name: load_scenario(paths.ROOT / paths.SCENARIOS, f"70b-1p{workers}d")
    for name, workers in {"a": 2, "b": 5}.items()
}


def mapped(study: KneeMap) -> list[Row]:
    service_times = partial(load_service_times, paths.ROOT / paths.LATENCY)
    run = partial(map_knees, study, SCENARIOS, service_times)
    options: dict[str, Any] = {"requests": 400, "warmup_cycles": 2, "seed": 1}
    return [row for part in range(count_parts(study)) for row in run(part, **options)]


def test_what_laws_decide_is_not_searched_and_the_audit_confirms_it() -> None:
    short, shorter, used = (row for row in mapped(study()))
    for row in (short, shorter):
        assert (row["decider"], row["side"], row["feasible"]) == ("a", "below", False)
        assert row["audit"] is True
        assert row["knee:a"] is row["fact:0:a"] is None
    assert used["side"] is used["audit"] is None
    assert used["feasible"]
    assert used["chosen"]
    for name in SCENARIOS:
        assert 96 < used[f"knee:{name}"] <= 128
        assert used[f"least:{name}"] < used[f"bound:{name}"] < used[f"most:{name}"]
        assert used[f"fact:0:{name}"] == pytest.approx(1, abs=0.1)


def test_long_outputs_have_their_knee_above() -> None:
    (row,) = mapped(study(axes={**study().axes, "workload.output_tokens": [300]}))
    assert (row["side"], row["audit"]) == ("above", True)


def test_a_wrong_decision_shows_in_the_audit() -> None:
    """Bounds that are widened by less than nothing decide what they must not."""
    narrow = study(axes={**study().axes, "workload.output_tokens": [144]}, margin=0.0)
    inverted = narrow.model_copy(update={"margin": -0.9})
    (row,) = mapped(inverted)
    assert row["side"] is not None
    assert row["audit"] is False


def test_without_an_audit_nothing_decided_is_simulated() -> None:
    assert {row["audit"] for row in mapped(study(audit=0.0, facts=[]))} == {None}


def test_a_variant_is_an_axis() -> None:
    """A serial host of 30 ms is the bottleneck: at 144 tokens its knee lies far below."""
    hosts = {"none": {}, "slow": {"frontend.overhead": 0.03, "frontend.serial": True}}
    axes = {**study().axes, "workload.output_tokens": [144]}
    without, behind = mapped(study(variants=hosts, axes=axes, facts=[]))
    assert (without["variant"], without["feasible"], without["chosen"]) == ("none", True, True)
    assert (behind["variant"], behind["side"], behind["chosen"]) == ("slow", "below", False)
    assert behind["audit"] is True
    for name in SCENARIOS:  # the variants of what is used are searched whatever was decided
        assert behind[f"knee:{name}"] == pytest.approx(behind[f"bound:{name}"], abs=3)


def test_the_combinations_are_shared_out_without_loss() -> None:
    tokens = list(range(1, 1001))
    large = study(axes={**study().axes, "workload.output_tokens": tokens}, audit=0.0, facts=[])
    assert count_parts(large) == MOST_PARTS
    assert count_parts(study()) == 1
    narrow = large.model_copy(update={"above": 5000.0, "upto": 5001.0})
    assert sorted(row["workload.output_tokens"] for row in mapped(narrow)) == tokens


def test_an_axis_over_the_service_times_is_looked_up() -> None:
    engines = [f"llama31-70b-fp8-tp4-b200-{engine}" for engine in ("trtllm", "vllm")]
    axes = {**study().axes, "model.latency": engines, "workload.output_tokens": [150]}
    found = {row["model.latency"]: row["bound:a"] for row in mapped(study(axes=axes, facts=[]))}
    assert len({value for value in found.values() if value is not None}) >= 1
    assert found[engines[0]] != found[engines[1]]
