"""The models on measured hardware: rows held to the tables, to N* and to simulation."""

import math
from collections.abc import Iterator
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.common.files import Row
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.config.silicon import Deployment, Silicon, deployments
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml
from anarchy.measure.knee.cycle import operational_bound
from anarchy.measure.silicon.cells import cell_rows
from anarchy.measure.silicon.comparison import comparison_rows, summary_rows
from anarchy.serving.service_times.lookup import Latency, load_latency, load_service_times

FOLDER = paths.ROOT / paths.LATENCY
SMALL, LARGE = "70b-1p2d-v09", "340b-1p2d-v09"
SCENARIOS = {name: load_scenario(paths.ROOT / paths.SCENARIOS, name) for name in (SMALL, LARGE)}
SILICON = validate(
    Silicon,
    read_yaml(paths.ROOT / paths.SILICON)
    | {
        "tables": [
            {"gpu": "H200", "times": "measured", "all_reduce": [0.0, 1e-5]},
            {"gpu": "H200", "times": "trtllm"},
        ],
        "searches": 1,
        "largest": 300,
    },
    "silicon.yaml",
)


def deployed() -> Iterator[Deployment]:
    return deployments(SILICON, SCENARIOS, "silicon.yaml")


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return comparison_rows(
        SILICON,
        deployed(),
        lambda model: load_service_times(FOLDER, model),
        requests=500,
        warmup_cycles=3,
        seed=1,
    )


def value(rows: list[Row], name: str, **keys: Any) -> Any:
    """The value of the only row with these keys, which begin with the published setting."""
    keys = {"scenario": SMALL, "times": "measured", "all_reduce": 0, "batch": 1} | keys
    keys = {"caching": True, "gpu": "H200"} | keys
    (row,) = (r for r in rows if r["id"] == name and all(r[k] == v for k, v in keys.items()))
    return row["value"]


def test_steps_are_those_of_the_tables(rows: list[Row]) -> None:
    for scenario, start in SILICON.scenarios.items():
        latency = load_latency(FOLDER, f"{start}-h200-measured")
        prefill, itl = latency.prefill(128), latency.itl(64, 128 + 143 / 2)
        assert value(rows, "prefill", scenario=scenario) == prefill
        assert value(rows, "itl", scenario=scenario) == itl
        assert value(rows, "ratio", scenario=scenario) == prefill / itl
        assert value(rows, "prefill-used", scenario=scenario) == latency.prefill(16, cached=112)
        assert value(rows, "prefill-used", scenario=scenario, caching=False) == prefill


def test_an_all_reduce_lengthens_both_kinds_of_steps(rows: list[Row]) -> None:
    for name, layers in ((SMALL, 80), (LARGE, 96)):
        for step in ("prefill", "itl"):
            slow, fast = (value(rows, step, scenario=name, all_reduce=s) for s in (1e-5, 0))
            assert slow - fast == pytest.approx(2 * layers * 1e-5)


def test_the_simulated_knee_is_near_the_bound(rows: list[Row]) -> None:
    knees = 0
    for row in rows:
        if row["id"] == "knee" and row["batch"] == 1:
            keys = {k: row[k] for k in ("scenario", "times", "all_reduce", "caching")}
            assert row["value"] == pytest.approx(value(rows, "operational-bound", **keys), rel=0.04)
            knees += 1
    assert knees == 2 * 3 * 2
    assert value(rows, "knee", batch=4) is None, "beyond the largest load"
    assert value(rows, "grid-point", batch=4) is None


def test_the_grid_point_is_the_first_at_or_above_the_knee(rows: list[Row]) -> None:
    assert 96 < value(rows, "knee", times="trtllm") <= 128
    assert value(rows, "grid-point", times="trtllm") == 128
    assert value(rows, "knee") > 128
    assert value(rows, "grid-point") is None


def test_the_output_tokens_are_those_of_the_published_interval(rows: list[Row]) -> None:
    """Exactly: one token less or more, and N* is outside."""
    for deployment in deployed():
        keys = dict(deployment.keys)
        latency = load_service_times(FOLDER, deployment.scenario.model)

        def bound(
            tokens: int, scenario: Scenario = deployment.scenario, latency: Latency = latency
        ) -> float:
            changed = with_fields(scenario, {"workload.output_tokens": tokens}, "test")
            found = operational_bound(changed, latency)
            assert found is not None
            return found

        least, most = value(rows, "output-least", **keys), value(rows, "output-most", **keys)
        assert bound(least - 1) <= 96 < bound(least)
        assert bound(most) <= 128 < bound(most + 1)


def test_the_summary_compares_the_models(rows: list[Row]) -> None:
    summary = summary_rows(rows)

    def of(name: str, **keys: Any) -> Any:
        return next(
            r["value"] for r in summary if r["id"] == name and all(r[k] == keys[k] for k in keys)
        )

    small, large = (value(rows, "prefill", scenario=name) for name in (SMALL, LARGE))
    assert of("factor:prefill", times="measured", all_reduce=0) == large / small
    assert of("factor:prefill", times="trtllm") == pytest.approx((341 / 8) / (70.6 / 4))
    serial = {"times": "measured", "batch": 1, "caching": False}
    bounds = [
        [
            value(rows, "operational-bound", scenario=name, all_reduce=s, caching=False)
            for s in (0, 1e-5)
        ]
        for name in (SMALL, LARGE)
    ]
    expected = max(abs(b / a - 1) for a, b in zip(*bounds, strict=True))
    for gpu in ("H200", "all"):
        assert of("difference", gpu=gpu, **serial) == expected
        assert of("operational-bound-least", gpu=gpu, **serial) == min(map(min, bounds))
        assert of("operational-bound-most", gpu=gpu, **serial) == max(map(max, bounds))
        least, most = of("output-least", gpu=gpu, **serial), of("output-most", gpu=gpu, **serial)
        assert 100 < least < most < 140
    batched = {"times": "measured", "batch": 4, "caching": True, "gpu": "H200"}
    assert math.isinf(of("operational-bound-most", **batched))
    assert of("knee-most", **batched) is None


def test_cells_are_what_was_measured() -> None:
    rows = cell_rows(deployed(), FOLDER, paths.ROOT)
    assert {row.get("gpu", "H200") for row in rows} == {"H200"}, "estimates have no cells"
    prefill = {
        (r["scenario"], r["prompts"], r["tokens"], r["cached"]): r["value"]
        for r in rows
        if r["id"] == "prefill"
    }
    assert len(prefill) == 2 * 31
    assert prefill[SMALL, 1, 16, 112] == pytest.approx(8.72e-3, abs=1e-5)
    assert prefill[SMALL, 1, 128, 0] == pytest.approx(8.70e-3, abs=1e-5)
    assert prefill[SMALL, 4, 128, 0] == pytest.approx(19.04e-3, abs=1e-5)
    tails = [row["value"] for row in rows if row["id"] == "tail"]
    assert len(tails) == 4
    assert all(1 < tail < 1.05 for tail in tails)
    totals = {row["id"]: row["value"] for row in rows[-3:]}
    assert totals["cells"] == 2 * (31 + 98)
    assert 0 < totals["residual-itl"] < 0.01
    assert 0 < totals["residual-cached"] < 0.03
