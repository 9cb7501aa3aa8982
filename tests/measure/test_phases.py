"""What is measured of a phase, and of what a controller did in it."""

from dataclasses import replace

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.experiment import Experiment
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.measure import alarms
from anarchy.measure.phases import by_phase, check_phases
from anarchy.serving.log.request_log import Run
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate

PHASES = [
    {"name": "below", "duration": 20.0, "clients": 16},
    {"name": "full", "duration": 40.0},
    {"name": "after", "duration": 40.0, "clients": 16},
]
CONTROLLER = {"window": 5.0, "cooldown": 0.0, "thresholds": {"transition": 0.3}, "polls": 2}


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    fields = {"workload.clients": 160, "workload.phases": PHASES, "controller": CONTROLLER}
    return with_fields(load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d"), fields, "test")


@pytest.fixture(scope="module")
def run(scenario: Scenario) -> Run:
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    return simulate(scenario, latency, seed=1, costs=False)


def test_phases_share_out_all_requests(run: Run, scenario: Scenario) -> None:
    parts = dict(by_phase(run, scenario, ["below", "full", "after"]))
    assert [(part.start, part.end) for part in parts.values()] == [(0, 20), (20, 60), (60, 100)]
    assert sum(int(part.measured.sum()) for part in parts.values()) == len(run.log)
    assert [name for name, _ in by_phase(run, scenario, ["after"])] == ["after"]


def test_a_closed_loop_obeys_little_in_its_steady_phase(run: Run, scenario: Scenario) -> None:
    """C clients = throughput x (mean end-to-end latency + think time)."""
    full = dict(by_phase(run, scenario, ["full"]))["full"]
    late = full.measured & (run.log.done > 30)
    throughput = late.sum() / 30
    assert throughput * (run.log.e2e[late].mean() + 0.002) == pytest.approx(160, rel=0.01)


def test_alarms_are_told_by_phase(run: Run, scenario: Scenario) -> None:
    parts = dict(by_phase(run, scenario, ["below", "full", "after"]))
    assert [alarms.alarmed(part) for part in parts.values()] == [0, 1, 1]
    assert [alarms.switches(part) for part in parts.values()] == [0, 1, 1]
    assert [alarms.highest_regime(part) for part in parts.values()] == [0, 1, 1]
    assert alarms.alarm_delay(parts["full"]) == 10  # two polls, 5 s apart
    assert alarms.switch_delay(parts["full"]) == 10
    assert alarms.alarm_delay(parts["below"]) is None
    assert alarms.alarm_delay(parts["after"]) is None
    clear = alarms.clear_delay(parts["after"])
    assert clear is not None
    assert 10 <= clear < 40
    tail = alarms.tail_seen(parts["full"])
    recent = run.log.ttft[(run.log.first_token > 55) & (run.log.first_token <= 60)]
    assert tail == pytest.approx(np.quantile(recent, 0.99), rel=0.01)


def test_a_run_without_a_controller_has_no_alarms(run: Run) -> None:
    without = replace(run, control=None)
    assert alarms.alarmed(without) is None
    assert alarms.switches(without) is None
    assert alarms.alarm_delay(without) is None
    assert alarms.tail_seen(without) is None


def experiment(**fields: object) -> Experiment:
    data = {
        "title": "t",
        "question": "q",
        "scenarios": ["70b-1p2d"],
        "measures": ["throughput"],
        "figure": {"x": "phase", "y": ["throughput"]},
        "table": {"measures": ["throughput"]},
    }
    return Experiment.model_validate(data | fields)


def test_faults_of_phases_are_named(scenario: Scenario) -> None:
    check_phases(experiment(phases=["full"]), [scenario])
    with pytest.raises(InputError, match=r"no workload has a phase 'fall'.*full"):
        check_phases(experiment(phases=["fall"]), [scenario])
    with pytest.raises(InputError, match=r"'prefill-busy' is of whole runs"):
        check_phases(experiment(phases=["full"], measures=["prefill-busy"]), [scenario])
