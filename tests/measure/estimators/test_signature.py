"""Statistics and ranks on readings made by hand: values by scenario, replication, cell, member."""

import numpy as np
import pytest

from anarchy.config.estimator import Property
from anarchy.measure.estimators.members import COLUMNS, cells, members
from anarchy.measure.estimators.ranking import curve_rows, member_rows, summary_rows, survivors
from anarchy.measure.estimators.signature import (
    STATISTICS,
    Readings,
    meets,
    signature,
    thermometer,
)

S, R = 2, 2
"""Scenarios and replications of the study."""


@pytest.fixture
def readings(make_study):
    """Four everywhere; a test gives some members a shape of their own."""
    study = make_study()
    numbers = np.full((S, R, len(cells(study)), len(members(study)), len(COLUMNS)), 4.0)
    return Readings(study, numbers)


def give(readings, cell, values, member=0):
    """Values of a cell, scenarios x replications."""
    readings.numbers[:, :, cell, member, 0] = values


def test_statistics_of_a_curve(readings):
    give(readings, 0, [[6, 6], [2, 2]])  # 2 clients
    give(readings, 1, [[3, 5], [1, 1]])  # the plateau, 16
    give(readings, 2, [[40, 40], [5, 6]])  # deep, 32
    with np.errstate(invalid="ignore"):
        found = {name: STATISTICS[name](readings)[:, 0] for name in STATISTICS}
    assert found["plateau"].tolist() == [4, 1]
    assert found["deep"].tolist() == [40, 5.5]
    assert found["largest"].tolist() == [40, 5.5]
    assert found["growth"].tolist() == [10, 5.5]
    assert found["artefact"].tolist() == [0.5, 1]
    assert found["flatness"].tolist() == [10, 5.5]
    assert found["seed-cv"] == pytest.approx([0, np.std([5, 6], ddof=1) / 5.5])


def test_statistics_over_settings(readings):
    # Cells 3 to 6 are the settings on the plateau, 8 to 11 those in deep saturation.
    for cell, value in zip((3, 4, 5, 6, 8, 9, 10, 11), (4, 4, 5, 5, 40, 40, 60, 60), strict=True):
        give(readings, cell, value)
    give(readings, 5, [[5, 5], [0.5, 9.5]])
    spread = np.std([4, 4, 5, 5], ddof=1) / 4.5
    assert STATISTICS["spread"](readings)[:, 0] == pytest.approx(spread)
    with np.errstate(invalid="ignore"):  # the other members vary nowhere
        assert STATISTICS["variance-ratio"](readings)[:, 0] == pytest.approx(20**2)
    assert STATISTICS["least"](readings)[:, 0].tolist() == [4, 0.5]


def test_a_property_holds_on_its_scenario_or_on_all(readings):
    give(readings, 1, [[4, 4], [9, 9]])
    everywhere = {"claim": "C03", "text": "-", "statistic": "plateau", "at_most": 5.0}
    assert not meets(Property(**everywhere), readings)[0]
    assert meets(Property(**everywhere), readings)[1:].all()
    assert meets(Property(**everywhere, scenario="70b-1p2d-v09"), readings).all()
    # Nobody meets what is not studied, and an undefined index meets nothing.
    assert not meets(Property(**everywhere, scenario="340b-1p2d-v09"), readings).any()
    give(readings, 1, np.nan)
    assert not meets(Property(**everywhere), readings)[0]


def test_ranks_go_by_properties_met_and_then_by_the_published_levels(readings, make_study):
    names = list(members(make_study()))
    give(readings, 1, [[4, 4], [1.6, 1.6]], member=3)  # as published, and not flat
    for cell in (1, 2):
        give(readings, cell, [[3.9, 3.9], [1.6, 1.6]], member=5)
    rows = member_rows(readings)
    assert rows[0]["id"] == names[5]
    assert (rows[0]["score"], rows[0]["met:flat"], rows[0]["met:level"]) == (2, True, True)
    assert rows[0]["distance"] == pytest.approx(abs(np.log(3.9 / 4)))
    last = rows[-1]
    assert (last["id"], last["score"], last["distance"]) == (names[3], 1, 0)
    assert rows[0]["ratio"] == pytest.approx(3.9 / 1.6)
    assert rows[0]["variant:random"] == pytest.approx((4 / 3.9 + 4 / 1.6) / 2)
    assert len(rows) == len(names)


def test_the_slope_in_n_compares_the_shortest_and_the_longest_window(readings, make_study):
    names = list(members(make_study()))
    for member, name in enumerate(names):
        if name.startswith("last-n-16") and "/rectangular/" in name:
            readings.numbers[..., member, 0] = 8.0
    slopes = {row["id"]: row["window-slope"] for row in member_rows(readings)}
    for name in names:
        assert slopes[name] == pytest.approx(1.0 if "/rectangular/" in name else 0.0)
    summary = {row["id"]: row["value"] for row in summary_rows(readings, member_rows(readings))}
    assert summary["proportional"] == len(names) / 2
    # Windows of 8 read 4 and those of 16 read 8 (n is 4 in this fixture): level * 4 / plateau.
    assert summary["implied-n:70b-1p2d-v09"] == pytest.approx(np.median([4.0, 2.0]))


def test_the_summary_counts_members(readings):
    rows = member_rows(readings)
    summary = {row["id"]: row for row in summary_rows(readings, rows)}
    assert summary["members"]["value"] == len(rows)
    assert summary["met:flat"]["value"] == summary["both:flat+level"]["value"] == len(rows)
    assert summary["score:2"]["value"] == len(rows)
    decode = [row for row in rows if row["numerator"] != "ttft"]
    assert summary["decode-only"]["value"] == len(decode)
    row = {"id": "decode-only:flat", "value": len(decode), "n": len(decode), "share": 1.0}
    assert summary["decode-only:flat"] == row
    assert summary["decode-only-growth"]["value"] == 1


def test_the_thermometer_compares_routers_on_the_same_requests(readings):
    # Cells 3 to 6 and 8 to 11 are settings, 7 and 12 the random router: true costs, and an index
    # that grows with their square.
    costs = (1.0, 1.0, 2.0, 3.0, 4.0)
    for start in (3, 8):
        for cell, cost in zip(range(start, start + 5), costs, strict=True):
            readings.numbers[:, :, cell, :, COLUMNS.index("e2e")] = cost
            give(readings, cell, [[cost**2, cost**2], [10 * cost**2] * 2])
            give(readings, cell, 1 / cost, member=1)
    with np.errstate(invalid="ignore"):
        slope, correlation = thermometer(readings)
    assert slope[:, 0] == pytest.approx([2, 2])
    assert slope[:, 1] == pytest.approx([-1, -1])
    assert slope[:, 2] == pytest.approx([0, 0])
    assert correlation[:, 0] == pytest.approx([1, 1])
    assert correlation[:, 1] == pytest.approx([-1, -1])
    assert np.isnan(correlation[:, 2]).all()
    first = next(row for row in member_rows(readings) if row["slope"] == pytest.approx(2))
    assert first["slope-lo"] == pytest.approx(2)


def test_survivors_are_of_different_kinds_and_have_curves(readings, make_study):
    rows = member_rows(readings)
    chosen = survivors(make_study(shown=3), rows)
    assert chosen[0] == rows[0]["id"]
    kinds = [tuple(name.split("/")[2:4]) for name in chosen]  # all windows are of the last n
    assert len(set(kinds)) == len(chosen) == 3
    level = survivors(make_study(survive="level"), rows)
    assert level == [row["id"] for row in rows if row["id"] in level]
    assert all(row["met:level"] for row in rows if row["id"] in level)
    assert len(survivors(make_study(), rows)) == 4  # no more kinds: two numerators, two matchings
    curves = curve_rows(readings, chosen)
    assert len(curves) == 3 * S * 3
    assert curves[0] == {
        "id": chosen[0],
        "scenario": "70b-1p2d-v09",
        "clients": 2,
        "value": 4.0,
        "n": R,
        "lo": 4.0,
        "hi": 4.0,
    }


def test_the_signature_has_every_property(readings):
    assert set(signature(readings)) == {"flat", "level"}
