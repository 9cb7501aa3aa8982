"""Hand-made experiments, studies and results rows."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from anarchy.config.experiment import Experiment, KneeMap, combinations
from anarchy.config.validation import validate

HOSTILE = r"""\input{/etc/passwd} \write18{rm} % $x_1$ & _ # { } ~ ^ < > " 中文 é τ ½"""


def make_experiment(**changes: Any) -> Experiment:
    data: dict[str, Any] = {
        "title": "A sweep",
        "question": "Where is the knee?",
        "scenarios": ["70b-1p2d", "70b-1p5d"],
        "sweep": {"workload.clients": [1, 64, 128]},
        "measures": ["ttft-p99", "throughput"],
        "figure": {"x": "workload.clients", "y": ["ttft-p99", "throughput"], "series": "scenario"},
        "table": {"measures": ["ttft-p99", "throughput"]},
    }
    return validate(Experiment, data | changes, "test.yaml")


def make_rows(experiment: Experiment, label: str = "TTFT P99") -> list[dict[str, Any]]:
    """Rows whose value is 0.1 s or 10 /s times one plus the number of the point."""
    rows = []
    points = itertools.product(experiment.scenarios, *experiment.sweep.values())
    for i, (scenario, *values) in enumerate(points, start=1):
        point = {"scenario": scenario, **dict(zip(experiment.sweep, values, strict=True))}
        for measure, name, unit, base in (
            ("ttft-p99", label, "s", 0.1),
            ("throughput", "Throughput", "1/s", 10.0),
        ):
            value = base * i
            row = {"id": measure, "label": name, "unit": unit, "value": value}
            rows.append(point | row | {"lo": 0.98 * value, "hi": 1.02 * value, "n": 10})
    return rows


KNEES = [
    {"scenario": scenario, "id": key, "value": value, "unit": "clients"}
    for scenario, lo, hi, bound in (("70b-1p2d", 64, 128, 101.5), ("70b-1p5d", 128, None, 140.0))
    for key, value in (("knee-lo", lo), ("knee-hi", hi), ("operational-bound", bound))
]


def make_study(**changes: Any) -> KneeMap:
    axes = {
        "engine.prefill.batch_requests": [1, 4],
        "engine.cache.enabled": [True, False],
        "workload.output_tokens": [16, 64, 128],
    }
    data = {"kind": "knee-map", "title": "Knees", "question": "Where?", "axes": axes}
    data |= {"scenarios": ["70b-1p2d", "340b-1p2d"], "above": 96, "upto": 128}
    panels = [{}, {"engine.cache.enabled": False}]
    data |= {"figure": {"y": "engine.prefill.batch_requests", "panels": panels}}
    return validate(KneeMap, data | changes, "test.yaml")


def make_study_rows(
    study: KneeMap, knee: Callable[[int], int | None]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of a map and of its limits; `knee` gives that of combination number i.

    Scenarios are alike. Combinations without a knee were decided by laws.
    """
    rows: list[dict[str, Any]] = []
    for i, point in enumerate(combinations(study.every_axis)):
        value = knee(i)
        inside = value is not None and study.above < value <= study.upto
        side = "below" if value is None else None
        row = point | {"side": side, "audit": None, "feasible": inside, "chosen": i == 0}
        rows.append(row | {f"knee:{name}": value if inside else None for name in study.scenarios})
    y = study.figure.y
    limits = [
        {"panel": panel, y: v, "scenario": name, "id": kind, "lo": 90 / v, "hi": 120 / v + 9 * wide}
        for panel in range(len(study.figure.panels))
        for v in study.axes[y]
        for wide, kind in enumerate(("crossing", "bracket"))
        for name in [*study.scenarios, "all"]
    ]
    for limit in limits[-2:]:
        limit["lo"] = limit["hi"] = None  # nothing is allowed
    return rows, limits


def body(table: str) -> list[list[str]]:
    """The cells of a table of one part, row by row."""
    inside = table.partition("\\midrule\n")[2].partition("\\bottomrule")[0]
    lines = [x for x in inside.split("\n") if x and x != r"\addlinespace"]
    return [[c.strip() for c in x.removesuffix(r"\\").split(" & ")] for x in lines]


@pytest.fixture
def experiment() -> Experiment:
    return make_experiment()
