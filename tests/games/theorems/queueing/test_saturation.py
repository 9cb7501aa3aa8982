"""The rows of the saturation law: shape, truth, and the points that the figure relies on."""

import math
from collections import Counter
from fractions import Fraction
from functools import cache

import pytest

from anarchy.games.theorems import checks
from anarchy.games.theorems.queueing import saturation


@cache
def rows() -> dict[str, checks.Row]:
    """The checks by id."""
    return {row["id"]: row for row in saturation.check_rows()}


@cache
def curves() -> list[checks.Row]:
    return saturation.curve_rows()


def test_every_check_holds_under_its_own_name() -> None:
    assert len(rows()) == len(saturation.check_rows())
    assert all(name.startswith("saturation-") for name in rows())
    assert [name for name, row in rows().items() if not row["holds"]] == []
    statements = {row["theorem"] for row in rows().values()}
    assert statements == {
        "prop:parallel",
        "lem:slack",
        "thm:finite-proxy",
        "thm:saturation",
        "thm:latency-aware",
        "cor:blocks",
    }


def test_values_worked_out_by_hand() -> None:
    exact = {
        "saturation-proxy-two": "13/9",
        "saturation-proxy-two-just-used": "7/6",
        "saturation-proxy-two-unused": "9/8",
        "saturation-proxy-three": "16/7",
        "saturation-proxy-two-at-pole": "inf",
        "saturation-proxy-two-beyond-pole": "inf",
        "saturation-proxy-three-at-pole": "inf",
    }
    assert {name: rows()[name]["exact"] for name in exact} == exact
    stated = {
        "saturation-critical-two": "7/8",
        "saturation-critical-one-idle": "7/12",
        "saturation-critical-unequal": "2/5",
        "saturation-critical-calibrated": "1",
        "saturation-aware-two": "7/6",
        "saturation-aware-three": "4/3",
    }
    assert {name: rows()[name]["stated_exact"] for name in stated} == stated


def test_the_linear_law_alone_would_fail_where_a_server_idles() -> None:
    """Without the truncation at zero the pole of credits 5/4, 1, 0 would be put at half load."""
    credits = [Fraction(5, 4), Fraction(1), Fraction(0)]
    naive = (3 - sum(max(credits) - credit for credit in credits)) / 3
    row = rows()["saturation-critical-one-idle"]
    wrong = checks.check("x", "x", "x", "x", row["value"], naive, "x")
    assert naive == Fraction(1, 2)
    assert not wrong["holds"]


def test_a_wrong_constant_in_the_latency_aware_bound_would_show() -> None:
    """The bound is attained to second order, so that any smaller constant fails near capacity."""
    row = rows()["saturation-aware-two-near-capacity-bound"]
    assert row["value"] - 1 > 0.99 * (row["stated"] - 1)


def test_curves_have_unique_names_and_one_shape() -> None:
    assert not [name for name, n in Counter(row["id"] for row in curves()).items() if n > 1]
    assert len({tuple(row) for row in curves()}) == 1
    for row in curves():
        if row["exact"] not in (None, "inf"):
            assert float(Fraction(row["exact"])) == row["value"]


def test_curves_are_infinite_exactly_from_their_pole_on() -> None:
    chosen = [row for row in curves() if row["router"] == "linear-proxy" and row["load"]]
    for row in chosen:
        assert math.isinf(row["value"]) == (row["load"] >= row["pole"])
    for credit in {row["credit"] for row in chosen}:
        finite = [r["value"] for r in chosen if r["credit"] == credit and r["load"] < r["pole"]]
        # The figure is cut at 100: every curve must reach that height.
        assert finite[-1] == max(finite) > 100


def test_latency_aware_curves_rise_once_and_end_at_one() -> None:
    for credit in map(float, saturation.CURVE_CREDITS):
        values = [
            row["value"]
            for row in curves()
            if row["router"] == "latency-aware" and row["credit"] == credit
        ]
        peak = values.index(max(values))
        assert values[: peak + 1] == sorted(values[: peak + 1])
        assert values[peak:] == sorted(values[peak:], reverse=True)
        assert values[-1] == pytest.approx(1, abs=1e-4)


def test_plain_routing_loses_nothing_on_equal_servers() -> None:
    assert {row["value"] for row in curves() if row["router"] == "plain"} == {1.0}


def test_computed_critical_loads_lie_on_the_law() -> None:
    chosen = [row for row in curves() if row["quantity"] == "critical load"]
    assert {row["servers"] for row in chosen} == set(saturation.CURVE_SERVERS)
    for row in chosen:
        assert row["value"] == pytest.approx(row["pole"], rel=1e-12)
        servers, credit = row["servers"], row["credit"]
        assert row["pole"] == pytest.approx(max(1 - (servers - 1) / servers * credit, 1 / servers))
