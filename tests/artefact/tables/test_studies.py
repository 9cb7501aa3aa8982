"""What the tables of studies, bounds and scenarios say."""

from anarchy.artefact.tables.studies import (
    assumption_table,
    bounds_table,
    facts_table,
    feasible_table,
    scenario_table,
    theorems_table,
)
from anarchy.common.paths import ROOT, SCENARIOS
from anarchy.config.settings import load_scenario
from tests.artefact.conftest import body, make_study, make_study_rows


def test_facts() -> None:
    study = make_study()
    common = {"id": "C03", "text": "between 7 & 19", "measure": "ttft-p99", "clients": 64}
    rows = [
        common | {"at_least": 0.007, "at_most": 0.019, "lo": 0.0012, "hi": 0.1, "n": 9, "met": 4},
        common | {"at_least": None, "at_most": 1.9, "lo": None, "hi": None, "n": 0, "met": 0},
    ]
    first = ["C03", r"between 7 \& 19", "TTFT P99 (ms)", "64", "7 to 19", "1.2 to 100.0", "4 of 9"]
    assert body(facts_table("x", study, rows)) == [
        first,
        [*first[:2], "TTFT P99 (s)", "64", "-- to 1.9", "-- to --", "0 of 0"],
    ]


def test_facts_show_that_a_range_is_no_point() -> None:
    study = make_study()
    row = {"id": "C03", "text": "x", "measure": "throughput", "clients": 64, "n": 1, "met": 0}
    row |= {"at_least": 7.0, "at_most": 19.0, "lo": 0.999994799049, "hi": 1.00042320366}
    rows = [row, row | {"lo": 1.0, "hi": 1.0}]
    assert [r[5] for r in body(facts_table("x", study, rows))] == ["0.99999 to 1.00042", "1 to 1"]


def test_lengths_that_laws_and_runs_allow() -> None:
    study = make_study()
    rows, limits = make_study_rows(study, lambda i: {1: 100, 2: 120, 4: 200, 9: 110}.get(i))
    table = feasible_table("x", study, rows, limits)
    assert body(table) == [
        ["prefix cache on", "1", "90.0 to 129.0", "90.0 to 120.0", "64, 128", "100 to 120"],
        ["", "4", "22.5 to 39.0", "22.5 to 30.0", "none", "--"],
        ["prefix cache off", "1", "90.0 to 129.0", "90.0 to 120.0", "none", "--"],
        ["", "4", "--", "22.5 to 30.0", "16", "110 to 110"],
    ]
    assert "all 3 seeds have to agree" in table


def test_bounds_say_once_what_rows_share() -> None:
    row = {"quantity": "worst", "setting": "affine", "value": 2.5, "exact": "5/2", "unit": "ratio"}
    row |= {"source": "A 2011", "method": "LP", "certified": True}
    other = row | {"setting": "free", "value": 1.61803398875, "exact": None}
    cells = body(bounds_table([row, other, row | {"method": "closed form", "certified": False}]))
    assert cells == [
        ["worst", "affine", "5/2", "2.5", "LP (certified)", "A 2011"],
        ["", "free", "--", "1.618", "", "A 2011"],
        ["worst", "affine", "5/2", "2.5", "closed form", "A 2011"],
    ]


def test_theorems_are_counted_by_quantity_and_failures_show() -> None:
    row = {"theorem": "thm:two-queues", "quantity": "ratio", "method": "LP", "holds": True}
    rows = [row, row | {"holds": False}, row | {"quantity": "optimum"}]
    assert body(theorems_table(rows)) == [
        ["two queues", "ratio", "LP", "2", "1"],
        ["", "optimum", "LP", "1", "1"],
    ]


def test_assumptions_that_agree_share_a_row() -> None:
    names = ["340b-1p2d", "70b-1p2d", "mooncake-8p8d"]
    scenarios = {name: load_scenario(ROOT / SCENARIOS, name) for name in names}
    table = assumption_table(scenarios)
    rows = {cell[0]: cell for cell in body(table)}
    assert rows["decode slots"][1:3] == ["256", "all"]
    assert rows["hand-off bandwidth"][1] == "50 GB/s"
    assert rows["output tokens"][2] == "340B 1P/2D, 70B 1P/2D"
    fields = {f for s in scenarios.values() for f in s.assumptions}
    assert fields
    assert len(body(table)) >= len(fields)


def test_scenarios() -> None:
    scenarios = {n: load_scenario(ROOT / SCENARIOS, n) for n in ("70b-1p5d", "azure-code-8p8d")}
    first, second = body(scenario_table(scenarios))
    assert first[:5] == ["70B 1P/5D", "Llama-3.1-70B", "24 B200", "4", "1P/5D"]
    assert "5 templates, 128 tokens in" in first[5]
    assert second[5] == "trace azure-code"
