"""What the tables of an experiment say: the rows of the results, no more and no less."""

import pytest

from anarchy.artefact.display import with_interval
from anarchy.artefact.latex import latex_escape
from anarchy.artefact.tables.experiments import (
    comparison_table,
    experiment_table,
    knee_table,
    knee_text,
    spread_table,
)
from anarchy.common.errors import InputError
from anarchy.config.experiment import Experiment
from tests.artefact.conftest import HOSTILE, KNEES, body, make_experiment, make_rows


def test_cells_equal_the_rows(experiment: Experiment) -> None:
    rows = make_rows(experiment)
    expected = []
    for tail, rate in zip(rows[::2], rows[1::2], strict=True):
        values = [
            latex_escape(with_interval(r["value"], r["lo"], r["hi"], factor))
            for r, factor in ((tail, 1000.0), (rate, 1.0))
        ]
        name = {"70b-1p2d": "70B 1P/2D", "70b-1p5d": "70B 1P/5D"}[tail["scenario"]]
        expected.append([name, str(tail["workload.clients"]), *values])
    assert body(experiment_table("x", experiment, rows)) == expected
    assert expected[0][2:] == [latex_escape("100.0 ± 2.0"), latex_escape("10.00 ± 0.20")]


def test_rows_follow_the_file_whatever_the_order_of_the_results() -> None:
    experiment = make_experiment(sweep={"router.policy": ["kv", "a-policy"]})
    rows = make_rows(experiment)
    table = experiment_table("x", experiment, rows)
    assert [cell[1] for cell in body(table)] == ["kv", "a-policy", "kv", "a-policy"]
    assert experiment_table("x", experiment, rows[::-1]) == table


def test_a_column_has_one_unit(experiment: Experiment) -> None:
    rows = make_rows(experiment)
    assert "(ms)" in experiment_table("x", experiment, rows)
    for row in rows:
        row["value"] *= 10
    table = experiment_table("x", experiment, rows)
    assert "(s)" in table
    assert "(ms)" not in table


def test_a_value_that_is_missing_is_a_dash(experiment: Experiment) -> None:
    rows = [r | {"value": None, "lo": None, "hi": None} for r in make_rows(experiment)]
    assert body(experiment_table("x", experiment, rows))[0][2:] == ["--", "--"]


def test_an_experiment_without_a_sweep_has_one_row_a_scenario() -> None:
    experiment = make_experiment(
        scenarios=["70b-1p2d"],
        sweep={},
        figure={"kind": "bar", "x": "scenario", "y": ["ttft-p99"]},
    )
    assert len(body(experiment_table("x", experiment, make_rows(experiment)))) == 1


def test_an_unknown_measure_is_refused() -> None:
    experiment = make_experiment(table={"measures": ["ttft-p9"]})
    with pytest.raises(InputError, match=r"x: table\.measures: .*did you mean 'ttft-p99'"):
        experiment_table("x", experiment, make_rows(experiment))


def test_hostile_titles_and_labels_are_escaped() -> None:
    experiment = make_experiment(title=HOSTILE)
    table = experiment_table("x", experiment, make_rows(experiment, label=HOSTILE))
    assert latex_escape(HOSTILE) in table
    assert r"\input" not in table
    assert r"\write" not in table


@pytest.mark.parametrize(
    ("lo", "hi", "text"),
    [(64, 128, "(64, 128]"), (None, 1, "(0, 1]"), (512, None, "> 512"), (None, None, "–")],
)
def test_knee_text(lo: float | None, hi: float | None, text: str) -> None:
    assert knee_text({"knee-lo": lo, "knee-hi": hi}) == text


def test_knees() -> None:
    experiment = make_experiment(knee={})
    assert body(knee_table("x", experiment, KNEES)) == [
        ["70B 1P/2D", "(64, 128]", "101.5"],
        ["70B 1P/5D", r"\textgreater{} 128", "140"],
    ]


def test_comparisons() -> None:
    experiment = make_experiment(
        sweep={"workload.clients": [1, 64], "router.policy": ["round-robin", "kv"]},
        compare={
            "field": "router.policy",
            "baseline": "round-robin",
            "measures": ["throughput", "ttft-p99"],
        },
    )
    common = {"scenario": "70b-1p2d", "workload.clients": 64, "field": "router.policy"}
    common |= {"alternative": "kv", "baseline": "round-robin", "n": 10}
    rows = [
        common
        | {"id": "ttft-p99", "label": "TTFT P99", "unit": "s", "value": -0.1, "lo": -0.12}
        | {"hi": -0.08, "ratio": 0.5, "differs": True},
        common
        | {"id": "throughput", "label": "Throughput", "unit": "1/s", "value": None}
        | {"lo": None, "hi": None, "ratio": None, "differs": False},
    ]
    first = ["Throughput", "70B 1P/2D", "64", "kv", "round-robin", "--", "--", "no"]
    assert body(comparison_table("x", experiment, rows)) == [
        first,
        ["TTFT P99", *first[1:5], latex_escape("−100 ± 20 ms"), "0.5", "yes"],
    ]


@pytest.mark.parametrize("table", [knee_table, comparison_table, spread_table])
def test_what_the_experiment_does_not_have_is_refused(table: object) -> None:
    with pytest.raises(InputError, match="experiment x: has no"):
        table("x", make_experiment(), [])  # type: ignore[operator]


def test_spread() -> None:
    experiment = make_experiment(
        sweep={"workload.clients": [64, 192], "router.temperature": [0.0, 0.7]},
        spread={"over": ["router.temperature"], "measures": ["ttft-p99", "throughput"]},
    )
    common = {"scenario": "70b-1p2d", "workload.clients": 64, "n": 2}
    found = {"value": 0.0123, "least": 0.05, "most": 0.06, "noise": 0.002}
    nothing = dict.fromkeys(found)
    rows = [
        common | {"id": "throughput", "label": "Throughput", "unit": "1/s"} | nothing,
        common | {"id": "ttft-p99", "label": "TTFT P99", "unit": "s"} | found,
    ]
    assert body(spread_table("x", experiment, rows)) == [
        ["TTFT P99 (ms)", "70B 1P/2D", "64", "50.00", "60.00", "1.23", "0.2"],
        ["Throughput (1/s)", "70B 1P/2D", "64", "--", "--", "--", "--"],
    ]


def test_a_measure_has_one_unit_in_the_spread() -> None:
    experiment = make_experiment(
        sweep={"workload.clients": [64, 192], "router.temperature": [0.0, 0.7]},
        spread={"over": ["router.temperature"], "measures": ["ttft-p99"]},
    )
    common = {"scenario": "70b-1p2d", "id": "ttft-p99", "label": "TTFT P99", "unit": "s", "n": 2}
    common |= {"value": 2.687e-6, "noise": 0.002}
    rows = [
        common | {"workload.clients": 64, "least": 0.0468, "most": 0.0482},
        common | {"workload.clients": 192, "least": 2.25256, "most": 2.25283},
    ]
    variation = r"2.69\ensuremath{\times 10^{-4}}"
    assert body(spread_table("x", experiment, rows)) == [
        ["TTFT P99 (s)", "70B 1P/2D", "64", "0.04680", "0.04820", variation, "0.2"],
        ["TTFT P99 (s)", "70B 1P/2D", "192", "2.25256", "2.25283", variation, "0.2"],
    ]
