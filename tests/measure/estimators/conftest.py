"""A study of estimators that runs in a second."""

from typing import Any

import pytest

from anarchy.config.estimator import EstimatorStudy


def _make_study(**changes: Any) -> EstimatorStudy:
    fields: dict[str, Any] = {
        "kind": "estimators",
        "title": "A study",
        "question": "Which?",
        "scenarios": ["70b-1p2d-v09", "70b-1p5d-v09"],
        "clients": [2, 16, 32],
        "low": 2,
        "flat": [16, 32],
        "plateau": 16,
        "deep": 32,
        "settings": {"router.temperature": [0.0, 0.7], "router.overlap_weight": [0.0, 1.0]},
        "variants": {"random": {"router.policy": "random"}},
        "replications": 2,
        "levels": {"70b-1p2d-v09": 4.0, "70b-1p5d-v09": 1.6},
        "families": [
            {
                "windows": [{"window": 8}, {"window": 16}],
                "entries": [
                    {"entry": "decode-latency", "freezing": "idle"},
                    {"entry": "router-cost"},
                ],
                "numerators": ["frozen", "ttft"],
                "matchings": ["balanced", "rectangular"],
                "aggregations": ["ratio-of-sums"],
            }
        ],
        "properties": {
            "flat": {"claim": "C01", "text": "flat", "statistic": "flatness", "at_most": 1.1},
            "level": {
                "claim": "C04",
                "text": "the plateau is four",
                "statistic": "plateau",
                "scenario": "70b-1p2d-v09",
                "at_least": 3.9,
                "at_most": 4.1,
            },
        },
    }
    return EstimatorStudy.model_validate(fields | changes)


@pytest.fixture(scope="session")
def make_study():
    return _make_study
