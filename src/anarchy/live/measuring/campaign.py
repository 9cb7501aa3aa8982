"""What a campaign measures, one thing after the other, is kept as it ends.

What is kept is not measured again until the campaign is over, so that one that was stopped goes on
where it was.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from anarchy.common.files import Row, read_rows
from anarchy.config.live import LiveCampaign
from anarchy.config.scenario import Scenario
from anarchy.live.measuring.observing import Listener
from anarchy.serving.service_times.lookup import Latency


class Measurable(Protocol):
    """A point or a run: what is measured as a whole."""

    @property
    def name(self) -> str:
        """By which it is known."""

    @property
    def scenario(self) -> Scenario:
        """What is deployed."""


M = TypeVar("M", bound=Measurable)


class Campaign(ABC, Generic[M]):
    """Measures points or runs and keeps their rows in files of a folder."""

    def __init__(
        self,
        settings: LiveCampaign,
        asked: Sequence[M],
        latency: Callable[[str], Latency],
        folder: Path,
        listener: Listener,
    ) -> None:
        """`latency` finds a table by its name."""
        self._settings = settings
        self._asked = asked
        self._latency = latency
        self._folder = folder
        self._listener = listener

    def run(self) -> list[Row]:
        """The rows of all that was asked for, in its order."""
        for together in self._stacks():
            missing = [each for each in together if not self._kept(each).is_file()]
            if missing:
                self._measure(missing)
        return [row for each in self._asked for row in read_rows(self._kept(each))]

    def forget(self) -> None:
        """Keep nothing any more: the next campaign measures anew."""
        for each in self._asked:
            self._kept(each).unlink()

    @abstractmethod
    def _stacks(self) -> Iterable[Sequence[M]]:
        """All that was asked for; what one stack serves is together."""

    @abstractmethod
    def _measure(self, missing: Sequence[M]) -> None:
        """Start a stack, and write the rows of each into its `_kept` as soon as it has ended."""

    @abstractmethod
    def _conditions(self, each: M) -> list[Any]:
        """All that its rows depend on beside its table of service times and the seed, as JSON."""

    def _kept(self, each: M) -> Path:
        """Where its rows are kept; another name if anything that was asked has changed."""
        table = self._latency(each.scenario.model.latency).table.model_dump(mode="json")
        asked = [*self._conditions(each), table, self._settings.seed]
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        return self._folder / f"{each.name}-{digest[:12]}.json"
