"""What operational laws allow of a published knee, against the law itself."""

from functools import partial
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.config.scenario import with_fields
from anarchy.config.settings import load_scenario
from anarchy.measure.knee.cycle import operational_bound
from anarchy.measure.knee.map_limits import Row, gain_rows, host_rows, limit_rows
from anarchy.serving.service_times.lookup import load_service_times
from tests.measure.knee.conftest import study

SCENARIOS = {
    name: load_scenario(paths.ROOT / paths.SCENARIOS, file)
    for name, file in {"a": "70b-1p2d", "b": "340b-1p2d"}.items()
}
SERVICE_TIMES = partial(load_service_times, paths.ROOT / paths.LATENCY)
AXES = {"engine.prefill.batch_requests": [1, 4], "workload.output_tokens": [16, 144]}
PANELS = [{}, {"engine.cache.enabled": False}]


def bound(name: str, **values: Any) -> float:
    fields = {path.replace("__", "."): value for path, value in values.items()}
    scenario = with_fields(SCENARIOS[name], fields, "test")
    found = operational_bound(scenario, SERVICE_TIMES(scenario.model))
    assert found is not None
    return found


def limits() -> list[Row]:
    axes = {**AXES, "engine.cache.enabled": [True, False]}
    figure = {"y": "engine.prefill.batch_requests", "panels": PANELS}
    return limit_rows(study(axes=axes, figure=figure, facts=[]), SCENARIOS, SERVICE_TIMES)


def test_lengths_between_the_ends_have_their_crossing_in_the_interval() -> None:
    found = [row for row in limits() if row["id"] == "crossing" and row["scenario"] != "all"]
    assert {row["engine.prefill.batch_requests"] for row in found} == {1, 2, 3, 4}
    for row in found:
        at = partial(
            bound,
            row["scenario"],
            engine__prefill__batch_requests=row["engine.prefill.batch_requests"],
            engine__cache__enabled=row["panel"] == 0,
        )
        assert row["longest"] == int(row["hi"])
        assert at(workload__output_tokens=row["longest"]) <= 128
        assert at(workload__output_tokens=row["longest"] + 1) > 128
        assert at(workload__output_tokens=int(row["lo"])) <= 96
        assert at(workload__output_tokens=int(row["lo"]) + 1) > 96


def test_all_allow_what_each_allows() -> None:
    for kind in ("bracket", "crossing"):
        rows = [row for row in limits() if row["id"] == kind]
        for place in range(0, len(rows), 3):
            one, other, both = rows[place : place + 3]
            assert both["scenario"] == "all"
            assert both["lo"] == max(one["lo"], other["lo"])
            assert both["hi"] == min(one["hi"], other["hi"])


def test_a_serial_host_may_take_a_third_longer_than_prefill_and_a_delay_thirty_times() -> None:
    """With one prompt a step and everything twice to three times as long on the larger model.

    The serial host divides the knees' ratio by at most 128/96; the delay moves them apart by its
    share of the one prefill time less that of the other.
    """
    found = {
        (row["id"], row["engine.prefill.batch_requests"]): row["value"]
        for row in host_rows(study(axes=AXES, facts=[]), SCENARIOS, SERVICE_TIMES)
    }
    prefill = {name: SERVICE_TIMES(s.model).prefill(1) for name, s in SCENARIOS.items()}
    assert found["serial", 1] == pytest.approx(128 / 96 * prefill["a"], rel=0.05)
    expected = (128 - 96) / (1 / prefill["a"] - 1 / prefill["b"])
    assert found["delay", 1] == pytest.approx(expected, rel=0.1)
    assert found["serial", 4] < found["serial", 1]


def test_gain_of_batching_that_a_length_leaves() -> None:
    rows = gain_rows(study(axes=AXES, facts=[]), SCENARIOS, SERVICE_TIMES)
    short, used = (row["value"] for row in rows)
    least = min(bound(name, workload__output_tokens=144) for name in SCENARIOS)
    assert used == pytest.approx(128 / least)
    assert short > 5 * used
