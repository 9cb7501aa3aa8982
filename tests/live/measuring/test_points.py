"""A campaign on a stub: points are kept, a stopped one goes on, and faults are one line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.config.live import LiveCampaign, LivePoint, load_campaign
from anarchy.config.scenario import with_fields
from anarchy.live.measuring.observing import ATTEMPTS
from anarchy.live.measuring.points import PointCampaign
from anarchy.live.processes import LiveError
from anarchy.serving.service_times.lookup import Latency
from tests.live.measuring.conftest import CLIENTS, REQUESTS
from tests.live.measuring.stub_frontend import WORKERS, StubFrontend

POINTS = "anarchy.live.measuring.points"
OBSERVING = "anarchy.live.measuring.observing"


@dataclass
class StubStack:
    """What a campaign asks of a stack."""

    stub: StubFrontend
    late: float = 0.001
    dead: bool = False
    model: str = "m"
    prompt_words: tuple[str, ...] = ("w1", "w2", "w3")
    prefill_workers: tuple[int, ...] = (7,)
    decode_workers: tuple[int, ...] = WORKERS
    started: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.stub.url

    @property
    def router_log(self) -> Path:
        return self.stub.log

    def check(self) -> None:
        if self.dead:
            raise LiveError("decode-0 died (signal 9): it said nothing")

    def lateness(self) -> dict[str, float]:
        return {"p50": 0.0, "p99": self.late, "max": 9.0}


@dataclass
class Heard:
    """A listener that remembers."""

    ends: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def begins(self, what: str) -> None: ...

    def ended(self, name: str) -> None:
        self.ends.append(name)

    def failed(self, fault: str) -> None:
        self.faults.append(fault)


@pytest.fixture
def stack(stub: StubFrontend, monkeypatch: pytest.MonkeyPatch) -> StubStack:
    """A stack that is there at once, on a machine that has nothing else to do."""
    stack = StubStack(stub)

    @contextmanager
    def running(scenario: Any, dilation: float, folder: Path) -> Iterator[StubStack]:
        stack.started.append(folder.name)
        yield stack

    monkeypatch.setattr(f"{POINTS}.running", running)
    monkeypatch.setattr(f"{OBSERVING}.processor_time", lambda: Idle())
    return stack


class Idle:
    """A processor's clock that shows half of the time idle."""

    def free_share(self, earlier: "Idle") -> float:
        return 0.5


@pytest.fixture
def settings() -> LiveCampaign:
    return load_campaign(paths.ROOT / paths.LIVE)


@pytest.fixture
def points(point: LivePoint) -> list[LivePoint]:
    """Two points of one deployment and one of another."""
    warm = with_fields(point.scenario, {"router.temperature": 0.7}, "test")
    many = with_fields(point.scenario, {"workload.templates": 9}, "test")
    return [
        point.model_copy(update={"name": "a", "series": "a"}),
        point.model_copy(update={"name": "warm", "series": "warm", "scenario": warm}),
        point.model_copy(update={"name": "many", "series": "many", "scenario": many}),
    ]


@pytest.fixture
def campaign(
    settings: LiveCampaign, points: list[LivePoint], latency: Latency, tmp_path: Path
) -> Callable[[Heard], PointCampaign]:
    return lambda heard: PointCampaign(
        settings, points, lambda _: latency, tmp_path / "kept", heard
    )


def test_every_point_is_measured_and_nothing_is_left(
    campaign: Callable[[Heard], PointCampaign], stack: StubStack, tmp_path: Path
) -> None:
    heard = Heard()
    measured = campaign(heard)
    rows = measured.run()
    assert stack.started == ["stack-a", "stack-warm"]  # deployments, not points
    assert heard.ends == ["a", "many", "warm"]
    heads = [row for row in rows if row["group"] == "point"]
    assert [row["id"] for row in heads] == ["a", "warm", "many"]
    for head in heads:
        assert (head["requests"], head["clients"]) == (REQUESTS, CLIENTS)
        assert abs(head["decisions"] - REQUESTS) <= CLIENTS
        assert (head["free"], head["lateness"]) == (0.5, 0.001)
    assert len(list((tmp_path / "kept").glob("*.json"))) == 3
    measured.forget()
    assert list((tmp_path / "kept").glob("*.json")) == []


def test_a_stopped_campaign_goes_on(
    campaign: Callable[[Heard], PointCampaign], stack: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stops(Heard):
        def begins(self, what: str) -> None:
            if what == "many":
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        campaign(Stops()).run()
    heard = Heard()
    rows = campaign(heard).run()
    assert heard.ends == ["many", "warm"]
    assert {row["series"] for row in rows if row["group"] == "point"} == {"a", "warm", "many"}


def test_a_changed_point_is_measured_anew(
    settings: LiveCampaign,
    points: list[LivePoint],
    stack: StubStack,
    latency: Latency,
    tmp_path: Path,
) -> None:
    class Stops(Heard):
        def begins(self, what: str) -> None:
            if what.startswith("warm"):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PointCampaign(settings, points, lambda _: latency, tmp_path, Stops()).run()
    heard = Heard()
    other = [points[0].model_copy(update={"requests": 2 * REQUESTS}), *points[1:]]
    PointCampaign(settings, other, lambda _: latency, tmp_path, heard).run()
    assert heard.ends == ["a", "warm"]


def test_a_loaded_machine_does_not_count(
    campaign: Callable[[Heard], PointCampaign], stack: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    stack.late = 0.5
    with pytest.raises(LiveError, match="a: the machine is too loaded to measure: engines woke"):
        campaign(heard).run()
    assert len(heard.faults) == ATTEMPTS - 1
    assert heard.ends == []
    stack.late = 0.0
    monkeypatch.setattr(Idle, "free_share", lambda self, earlier: 0.05)
    with pytest.raises(LiveError, match="5 % of the processors' time was free, 10 % are wanted"):
        campaign(heard).run()


def test_a_dead_process_ends_the_campaign(
    campaign: Callable[[Heard], PointCampaign], stack: StubStack
) -> None:
    stack.dead = True
    with pytest.raises(LiveError, match="decode-0 died"):
        campaign(Heard()).run()


def test_a_frontend_that_fails_ends_the_campaign(
    campaign: Callable[[Heard], PointCampaign], stack: StubStack
) -> None:
    stack.stub.fails = True
    with pytest.raises(LiveError, match="503 Service Unavailable"):
        campaign(Heard()).run()
