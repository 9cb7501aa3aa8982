"""Whatever a campaign measures is kept as it ends, until nothing more is asked for."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.common.files import write_rows
from anarchy.config.live import LivePoint, load_campaign
from anarchy.live.measuring.campaign import Campaign
from anarchy.serving.service_times.lookup import Latency
from tests.live.measuring.test_points import Heard


class Counted(Campaign[LivePoint]):
    """Measures how many things it has measured, and stops at the second."""

    measured: Sequence[str] = ()

    def _stacks(self) -> list[Sequence[LivePoint]]:
        return [self._asked]

    def _measure(self, missing: Sequence[LivePoint]) -> None:
        for each in missing:
            if each.name == "b" and not self.measured:
                raise KeyboardInterrupt
            self.measured = [*self.measured, each.name]
            write_rows(self._kept(each), [{"id": each.name, "n": len(self.measured)}])

    def _conditions(self, each: LivePoint) -> list[Any]:
        return [each.requests]


@pytest.fixture
def campaign(point: LivePoint, latency: Latency, tmp_path: Path) -> Callable[..., Counted]:
    settings = load_campaign(paths.ROOT / paths.LIVE)

    def of(*points: LivePoint, seed: int = 1) -> Counted:
        asked = settings.model_copy(update={"seed": seed})
        return Counted(asked, points, lambda _: latency, tmp_path, Heard())

    return of


def test_what_is_kept_is_not_measured_again(
    campaign: Callable[..., Counted], point: LivePoint, tmp_path: Path
) -> None:
    a, b = (point.model_copy(update={"name": name}) for name in "ab")
    campaign(a).run()
    with pytest.raises(KeyboardInterrupt):
        campaign(a, b).run()
    last = campaign(b, a)
    last.measured = ["before"]
    assert last.run() == [{"id": "b", "n": 2}, {"id": "a", "n": 1}]
    last.forget()
    assert list(tmp_path.iterdir()) == []


def test_what_is_asked_otherwise_is_measured_anew(
    campaign: Callable[..., Counted], point: LivePoint
) -> None:
    for asked, seed in ((point, 1), (point.model_copy(update={"requests": 7}), 1), (point, 2)):
        measured = campaign(asked, seed=seed)
        measured.run()
        assert measured.measured == [point.name]
