"""The knee of each load sweep of an experiment."""

import pytest

from anarchy.common import paths
from anarchy.config.experiment import Experiment
from anarchy.config.settings import load_scenario
from anarchy.measure.knee.sweeps import knee_rows
from anarchy.serving.service_times.lookup import Latency, load_latency

SCENARIO = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")


@pytest.fixture
def latency() -> Latency:
    return load_latency(paths.ROOT / paths.LATENCY, SCENARIO.model.latency)


def test_knee_of_each_sweep_is_an_interval_beside_its_bound(latency: Latency) -> None:
    experiment = Experiment.model_validate(
        {
            "title": "t",
            "question": "q",
            "scenarios": ["70b-1p2d"],
            "sweep": {
                "workload.clients": [64, 96, 128],
                "workload.output_tokens": [72, 144],
            },
            "measures": ["prefill-load"],
            "knee": {},
            "figure": {"x": "workload.clients", "y": ["prefill-load"]},
            "table": {"measures": ["prefill-load"]},
        }
    )
    loads = {(64, 144): 0.6, (96, 144): 0.9, (128, 144): 1.0}
    loads |= {(64, 72): 1.0, (96, 72): 1.0, (128, 72): 1.0}
    rows = [
        {
            "scenario": "70b-1p2d",
            "workload.clients": clients,
            "workload.output_tokens": tokens,
            "id": "prefill-load",
            "value": load,
        }
        for (clients, tokens), load in loads.items()
    ]
    found = {
        (r["workload.output_tokens"], r["id"]): r["value"]
        for r in knee_rows(experiment, rows, {"70b-1p2d": SCENARIO}, lambda model: latency)
    }
    assert (found[144, "knee-lo"], found[144, "knee-hi"]) == (96, 128)
    assert (found[72, "knee-lo"], found[72, "knee-hi"]) == (None, 64)
    assert 96 < found[144, "operational-bound"] < 128
    assert 48 < found[72, "operational-bound"] < 64
