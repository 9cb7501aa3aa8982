"""The figure and the tables of a study of estimators."""

from pathlib import Path
from typing import Any

import pytest

from anarchy.artefact.figures.estimators import plot_estimators
from anarchy.artefact.tables.estimators import members_table, properties_table
from anarchy.config.estimator import EstimatorStudy
from tests.artefact.conftest import HOSTILE, body

IDS = [f"last-n-{n}/e2e@idle/e2e/rectangular/ratio-of-sums" for n in (8, 36)]


@pytest.fixture
def study() -> EstimatorStudy:
    return EstimatorStudy.model_validate(
        {
            "kind": "estimators",
            "title": "A study",
            "question": "Which?",
            "scenarios": ["70b-1p2d", "70b-1p5d"],
            "clients": [4, 64, 512],
            "low": 4,
            "flat": [64],
            "plateau": 64,
            "deep": 512,
            "settings": {"router.temperature": [0.0, 0.7]},
            "families": [
                {
                    "windows": [{"window": 8}, {"window": 36}],
                    "entries": [{"entry": "e2e"}],
                    "numerators": ["e2e"],
                    "matchings": ["rectangular"],
                    "aggregations": ["ratio-of-sums"],
                }
            ],
            "properties": {
                "plateau": {
                    "claim": "C03",
                    "text": HOSTILE.replace("\n", " "),
                    "statistic": "plateau",
                    "at_least": 6.5,
                    "at_most": 19.5,
                },
                "growth": {"claim": "C01", "text": "-", "statistic": "growth", "at_least": 5.0},
            },
        }
    )


def curves(value: float | None = 8.0) -> list[dict[str, Any]]:
    return [
        {
            "id": name,
            "scenario": scenario,
            "clients": clients,
            "value": value and value * clients,
            "lo": value and 0.9 * value * clients,
            "hi": value and 1.1 * value * clients,
            "n": 3,
        }
        for name in IDS
        for scenario in ("70b-1p2d", "70b-1p5d")
        for clients in (4, 64, 512)
    ]


def test_the_figure_is_drawn_and_always_alike(study: EstimatorStudy, tmp_path: Path) -> None:
    plot_estimators(study, curves(), tmp_path / "one")
    plot_estimators(study, curves(), tmp_path / "other")
    for kind in ("pdf", "png"):
        drawn = (tmp_path / f"one.{kind}").read_bytes()
        assert len(drawn) > 5000
        assert drawn == (tmp_path / f"other.{kind}").read_bytes()


def test_the_members_table_has_a_row_for_each_curve(study: EstimatorStudy) -> None:
    members = [
        {
            "id": name,
            "window": name.split("/")[0],
            "entry": "e2e@idle",
            "numerator": "e2e",
            "matching": "rectangular",
            "aggregation": "ratio-of-sums",
            "plateau:70b-1p2d": 18.25,
            "plateau:70b-1p5d": None,
            "growth": 4.9,
            "spread": 0.0012,
            "score": 1,
        }
        for name in [*IDS, "another"]
    ]
    text = members_table("estimators", study, members, curves())
    assert "tab:studies:estimators" in text
    assert "out of 3 members" in text
    assert [row[0] for row in body(text)] == ["last-n-8", "last-n-36"]
    assert body(text)[0][3:] == ["18.2", "--", "4.9", "0.12", "1"]


def test_the_properties_table_counts_members(study: EstimatorStudy) -> None:
    summary = [
        {"id": "members", "value": 8, "n": 8},
        {"id": "met:plateau", "value": 2, "n": 8},
        {"id": "met:growth", "value": 0, "n": 8},
    ]
    rows = body(properties_table("estimators", study, summary))
    assert rows[0][0] == "C03"
    assert rows[0][2:] == ["plateau 6.5 to 19.5", "2", r"25 \%"]
    assert rows[1][3:] == ["0", r"0 \%"]
