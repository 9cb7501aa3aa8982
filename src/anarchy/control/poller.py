"""A controller on the wall clock: reads a histogram, decides, and writes what the router is to do.

Where there is no reading there is no decision: the regime and the override stay what they were,
and the reason says what was wrong.
"""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

from anarchy.common.files import write_text
from anarchy.config.router import Controller as Settings
from anarchy.config.router import Override
from anarchy.control.controller import Controller, Decision
from anarchy.control.prometheus import AmbiguousError, Reading, Source, UnreadableError
from anarchy.control.window import HistogramWindow

ANEW = "the counts began anew (was the program restarted?), and so does the window"
FIRST = "the first reading: the window begins"
NOTHING_NEW = "no new sample since the last poll"
IDLE = "no request in the window"


class Poll(NamedTuple):
    """A decision, and whether there was a reading that it rests on."""

    decision: Decision
    known: bool


class Poller:
    """Polls of one source; `file` is where overrides are written, if anywhere."""

    def __init__(
        self, source: Source, settings: Settings, unloaded: float, file: Path | None
    ) -> None:
        """`unloaded` is the TTFT of a request that is alone, seconds."""
        self._source = source
        self._controller = Controller(settings, unloaded)
        self._window = HistogramWindow(settings.window)
        self._last: Reading | None = None
        self._file = None if settings.dry_run else file
        self._written: Override | None = None

    def poll(self) -> Poll:
        """Read and decide. Raises AmbiguousError if the very first reading could be of several."""
        try:
            poll = self._decide()
        except UnreadableError as fault:
            if self._last is None and isinstance(fault, AmbiguousError):
                raise
            return self._undecided(str(fault))
        if poll.known:
            self._apply(poll.decision.override)
        return poll

    def _decide(self) -> Poll:
        before = self._last
        readings = self._source.read(after=before.time if before else -math.inf)
        if not readings:
            return self._undecided(NOTHING_NEW)
        began_anew = False
        for reading in readings:
            began_anew |= self._take(reading)
        p99 = self._window.p99()
        if p99 is not None:
            return Poll(self._controller.observe(readings[-1].time, p99), True)
        if self._window.increase is None:
            return self._undecided(ANEW if began_anew else FIRST)
        return self._undecided(IDLE)

    def _take(self, reading: Reading) -> bool:
        """Add a reading to the window; whether the counts began anew."""
        last = self._last
        self._last = reading
        self._window.take(*reading)
        return last is not None and reading.histogram.since(last.histogram) is None

    def _undecided(self, reason: str) -> Poll:
        decision = self._controller.observe(time.time(), None)
        return Poll(replace(decision, reason=reason), False)

    def _apply(self, override: Override) -> None:
        """Write the override, if it is another one, as Dynamo spells it."""
        if self._file is None or override == self._written:
            return
        content = {
            "router_temperature": override.temperature,
            "overlap_score_weight": override.overlap_weight,
        }
        write_text(self._file, f"{json.dumps(content)}\n")
        self._written = override


def every(interval: float, times: int | None) -> Iterator[None]:
    """Yield so many times, for ever if None: now, and at whole multiples of the interval from now.

    Multiples that pass before somebody comes back are left out.
    """
    start, multiple = time.monotonic(), 0
    for turn in count():
        yield
        if turn + 1 == times:
            return
        multiple = max(multiple + 1, math.ceil((time.monotonic() - start) / interval))
        time.sleep(max(0.0, start + multiple * interval - time.monotonic()))
