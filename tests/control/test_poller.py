"""What a poll makes of the readings, and what it writes: readings are given, no server is asked."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from anarchy.config.router import Controller
from anarchy.control import poller as polling
from anarchy.control.histogram import Histogram
from anarchy.control.poller import ANEW, FIRST, IDLE, NOTHING_NEW, Poll, Poller, every
from anarchy.control.prometheus import AmbiguousError, Reading, UnreadableError

SETTINGS = Controller(smoothing=1.0, cooldown=0.0, polls=2)


@dataclass
class Given:
    """A source whose answers are given, one after the other: counts below 0.5 s, and of all."""

    answers: list[list[tuple[float, float, float]] | Exception]
    asked: list[float] = field(default_factory=list)

    def read(self, after: float) -> list[Reading]:
        self.asked.append(after)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return [Reading(time, histogram(low, all_)) for time, low, all_ in answer]


def histogram(low: float, everything: float) -> Histogram:
    return Histogram((0.5, 5.0, math.inf), (low, everything, everything))


def polls(
    *answers: Sequence[tuple[float, float, float]] | Exception,
    settings: Controller = SETTINGS,
    file: Path | None = None,
) -> list[Poll]:
    source = Given([a if isinstance(a, Exception) else [*a] for a in answers])
    poller = Poller(source, settings, 0.0, file)
    return [poller.poll() for _ in answers]


def test_a_window_begins_with_the_first_reading() -> None:
    first, second = polls([(1.0, 10, 10)], [(6.0, 10, 20)])
    assert (first.known, first.decision.reason) == (False, FIRST)
    assert second.known
    assert second.decision.p99 == pytest.approx(0.5 + 4.5 * 0.99)
    assert second.decision.time == 6.0


def test_a_server_that_kept_samples_is_known_at_once() -> None:
    (poll,) = polls([(1.0, 10, 10), (6.0, 20, 20)])
    assert poll.known
    assert poll.decision.p99 == pytest.approx(0.5 * 0.99)


def test_only_what_is_new_is_asked_for() -> None:
    source = Given([[(1.0, 0, 0)], [(6.0, 0, 5)], [], [(16.0, 0, 9)]])
    poller = Poller(source, SETTINGS, 0.0, None)
    reasons = [poller.poll().decision.reason for _ in range(4)]
    assert source.asked == [-math.inf, 1.0, 6.0, 6.0]
    assert reasons[2] == NOTHING_NEW


def test_what_cannot_be_read_is_said_and_agrees_with_nothing() -> None:
    """Two slow polls must agree; a fault between them neither counts nor breaks them apart."""
    seen = polls([(0.0, 0, 0)], [(5.0, 0, 9)], UnreadableError("it is away"), [], [(20.0, 0, 19)])
    assert [poll.known for poll in seen] == [False, True, False, False, True]
    assert [poll.decision.switched for poll in seen] == [False] * 4 + [True]
    assert seen[2].decision.reason == "it is away"
    assert seen[2].decision.regime == "below"


def test_an_idle_window_decides_nothing() -> None:
    seen = polls([(0.0, 0, 0)], [(5.0, 0, 0)])
    assert (seen[1].known, seen[1].decision.reason) == (False, IDLE)


@pytest.mark.parametrize("lower", [(6.0, 0, 3), (6.0, 3, 9)])
def test_counts_that_began_anew_begin_the_window_anew(lower: tuple[float, float, float]) -> None:
    seen = polls([(0.0, 5, 9)], [lower], [(11.0, *(count + 2 for count in lower[1:]))])
    assert (seen[1].known, seen[1].decision.reason) == (False, ANEW)
    assert seen[2].decision.p99 == pytest.approx(0.5 * 0.99)


def test_several_histograms_are_refused_at_first_and_survived_later() -> None:
    with pytest.raises(AmbiguousError):
        polls(AmbiguousError("two"))
    seen = polls([(0.0, 0, 0)], AmbiguousError("two"))
    assert (seen[1].known, seen[1].decision.reason) == (False, "two")


SATURATED = [[(0.0, 0, 0)], [(5.0, 0, 9)], [(10.0, 0, 19)]]


def test_an_override_is_written_as_dynamo_spells_it(tmp_path: Path) -> None:
    file = tmp_path / "override.json"
    source = Given([*map(list, SATURATED)])
    poller = Poller(source, SETTINGS, 0.0, file)
    poller.poll()
    assert not file.exists(), "nothing was decided"
    poller.poll()
    assert json.loads(file.read_text()) == {"router_temperature": 0.0, "overlap_score_weight": 1.0}
    poller.poll()
    assert json.loads(file.read_text()) == {"router_temperature": 0.7, "overlap_score_weight": 1.0}


def test_a_dry_run_decides_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "override.json"
    dry = SETTINGS.model_copy(update={"dry_run": True})
    seen = polls(*SATURATED, settings=dry, file=file)
    assert seen[-1].decision.switched
    assert seen[-1].decision.override.temperature == 0.7
    assert not file.exists()


def test_polls_keep_to_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that takes long delays no later one, and one that takes too long is left out."""
    now = 100.0
    taken = iter([0.1, 2.9, 0.1, 0.0])
    at = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(polling.time, "monotonic", lambda: now)
    monkeypatch.setattr(polling.time, "sleep", sleep)
    for _ in every(2.0, 4):
        at.append(now)
        now += next(taken)
    assert at == pytest.approx([100.0, 102.0, 106.0, 108.0])
    assert now == pytest.approx(108.0), "nobody waits after the last one"


def test_an_override_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no regular file"):
        polls(*SATURATED, file=tmp_path)
