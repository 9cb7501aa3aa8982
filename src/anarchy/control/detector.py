"""Which regime the serving system is in, from the tail of TTFT at every poll.

The tail is smoothed by an exponentially weighted moving average. A regime changes when so many
polls in a row agree on another one, and not too soon after the last change. The way up leads over
a regime's threshold, the way down below a share of it. A poll without a sample decides nothing,
and neither agrees nor disagrees.
"""

import math
from typing import Literal, NamedTuple, get_args

from anarchy.config.router import Controller

Regime = Literal["below", "transition", "saturated"]

REGIMES: tuple[Regime, ...] = get_args(Regime)
"""The regimes, in order of load."""


class Verdict(NamedTuple):
    """What a poll has come to: the average (seconds, None before any sample), the regime, whether
    it is new, and why in a few words."""

    average: float | None
    regime: Regime
    switched: bool
    reason: str


class Detector:
    """Starts in the lowest regime. `unloaded` is the TTFT of a request that is alone, seconds."""

    def __init__(self, settings: Controller, unloaded: float) -> None:
        thresholds = settings.thresholds
        scale = unloaded if thresholds.unit == "unloaded" else 1.0
        self.thresholds = (-math.inf, scale * thresholds.transition, scale * thresholds.saturated)
        self._settings = settings
        self._average: float | None = None
        self._level = 0
        self._wanted = 0  # on which the last polls agreed
        self._agreed = 0  # how many they were
        self._switched_at = -math.inf

    @property
    def regime(self) -> Regime:
        """The regime by now."""
        return REGIMES[self._level]

    def poll(self, time: float, p99: float | None) -> Verdict:
        """The tail of TTFT at `time`, both in seconds; None or NaN if there was no sample."""
        if p99 is None or math.isnan(p99):
            return self._stays("no sample")
        self._average = self._smoothed(p99)
        wanted = self._wanted_level(self._average)
        self._agreed = self._agreed + 1 if wanted == self._wanted else 1
        self._wanted = wanted
        if wanted == self._level:
            return self._stays(f"{self._average:.3g} s is {self.regime}")
        polls, since = self._settings.polls, time - self._switched_at
        if self._agreed < polls:
            return self._stays(f"{REGIMES[wanted]} for {self._agreed} of {polls} polls")
        if since < self._settings.cooldown:
            return self._stays(f"{REGIMES[wanted]}, but switched {since:.3g} s ago")
        self._level, self._switched_at = wanted, time
        return Verdict(self._average, self.regime, True, f"{self.regime} for {self._agreed} polls")

    def _smoothed(self, p99: float) -> float:
        weight = self._settings.smoothing
        return p99 if self._average is None else weight * p99 + (1 - weight) * self._average

    def _wanted_level(self, average: float) -> int:
        """The regime that an average speaks for; those it has reached are harder to leave."""
        bounds = (
            bound * (self._settings.hysteresis if level <= self._level else 1.0)
            for level, bound in enumerate(self.thresholds)
        )
        return max(level for level, bound in enumerate(bounds) if average >= bound)

    def _stays(self, reason: str) -> Verdict:
        return Verdict(self._average, self.regime, False, reason)
