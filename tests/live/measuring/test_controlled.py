"""A controlled campaign on a stub: phases, the controller beside them, and the rows."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.common.files import Row
from anarchy.config.live import ControlledRun, LiveCampaign, controlled_runs, load_campaign
from anarchy.config.settings import load_scenario
from anarchy.live.measuring.controlled import ControlledCampaign
from anarchy.serving.service_times.lookup import Latency
from tests.live.measuring.stub_frontend import StubFrontend
from tests.live.measuring.test_points import OBSERVING, Heard, Idle, StubStack

FASTER = 100.0
"""By how much the stub's time passes faster than that of the campaign."""


@dataclass
class Program:
    """A controller that has said something."""

    log: Path


@dataclass
class ControlledStack(StubStack):
    """A stub beside which a controller polls twice."""

    folder: Path = Path()
    commands: tuple[Sequence[Any], ...] = ()

    @contextmanager
    def beside(self, name: str, command: Sequence[Any]) -> Iterator[Program]:
        self.commands += (command,)
        poll = {"time": 0.0, "p99": None, "average": None, "regime": "below", "switched": False}
        poll |= {"router_temperature": 0.0, "overlap_score_weight": 1.0}
        seen = poll | {"p99": 2.0, "average": 1.0, "regime": "transition", "switched": True}
        log = self.folder / f"{name}.log"
        log.write_text(f"{json.dumps(poll)}\n{json.dumps(seen)}\n", encoding="utf-8")
        yield Program(log)


@pytest.fixture
def settings() -> LiveCampaign:
    campaign = load_campaign(paths.ROOT / paths.LIVE)
    control = campaign.control
    phases = [
        phase.model_copy(update={"seconds": phase.seconds / FASTER, "clients": clients})
        for phase, clients in zip(control.phases, (2, 6, 2), strict=True)
    ]
    changed = {"phases": phases, "settle": control.settle / FASTER, "dilation": 0.01}
    changed |= {"set": {**control.set, "workload.output_tokens": 4}}
    return campaign.model_copy(update={"control": control.model_copy(update=changed)})


@pytest.fixture
def runs(settings: LiveCampaign) -> list[ControlledRun]:
    load = partial(load_scenario, paths.ROOT / paths.SCENARIOS)
    return controlled_runs(settings, load, "live.yaml")[:2]


@pytest.fixture
def measured(
    stub: StubFrontend,
    settings: LiveCampaign,
    runs: list[ControlledRun],
    latency: Latency,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[list[Row], ControlledStack, Heard]:
    """The rows, the stack and the listener of a whole campaign."""
    stack = ControlledStack(stub, folder=tmp_path)

    @contextmanager
    def running(
        scenario: Any, dilation: float, folder: Path, override: Path
    ) -> Iterator[ControlledStack]:
        folder.mkdir(parents=True)
        stack.started.append(folder.name)
        yield stack

    stub.delay = 0.005
    monkeypatch.setattr("anarchy.live.measuring.controlled.running", running)
    monkeypatch.setattr(f"{OBSERVING}.processor_time", lambda: Idle())
    heard = Heard()
    campaign = ControlledCampaign(settings, runs, lambda _: latency, tmp_path / "kept", heard)
    rows = campaign.run()
    assert campaign.run() == rows, "what is kept is not measured again"
    campaign.forget()
    return rows, stack, heard


def test_each_run_has_a_stack_its_phases_and_its_polls(
    measured: tuple[list[Row], ControlledStack, Heard], runs: list[ControlledRun]
) -> None:
    rows, stack, heard = measured
    assert heard.ends == [run.name for run in runs]
    assert stack.started == [f"stack-{run.name}" for run in runs]
    for run in runs:
        own = [row for row in rows if run.name in (row["id"], row.get("run"))]
        head, *others = own
        assert (head["switches"], head["free"], head["lateness"]) == (1, 0.5, 0.001)
        assert [row["phase"] for row in others if row["group"] == "phase"] == [
            *("below", "saturated", "recovery")
        ]
        assert [row["regime"] for row in others if row["group"] == "poll"] == [
            *("below", "transition")
        ]


def test_the_controller_is_the_command_of_a_user(
    measured: tuple[list[Row], ControlledStack, Heard], settings: LiveCampaign
) -> None:
    """It is told seconds of the wall clock, as the file has them."""
    _, stack, _ = measured
    command = [str(word) for word in stack.commands[1]]
    assert command[:3] == ["-m", "anarchy", "control"]
    assert f"{stack.url}/metrics" in command
    config = json.loads(Path(command[command.index("--config") + 1]).read_text(encoding="utf-8"))
    asked = settings.control.controller
    assert config["interval"] == pytest.approx(asked.interval)
    assert config["edges"] == pytest.approx(asked.edges)
    assert config["thresholds"]["saturated"] == pytest.approx(asked.thresholds.saturated)
    assert config["dry_run"] is False
