"""What a controller saw and did in a run, and with what parameters each request was routed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anarchy.config.router import Override, Router
from anarchy.control.controller import Decision
from anarchy.control.detector import REGIMES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class ControlHistory:
    """One entry for each poll, before them one for the beginning; times in seconds.

    `p99` and `average` are nan where there was no sample. From `time[i]` on the controller believed
    to be in `regime[i]`, a position in `REGIMES`, and the router had the parameters
    `temperature[i]` and `overlap_weight[i]`, its own in a dry run.
    """

    time: Floats
    p99: Floats
    average: Floats
    regime: Ints
    temperature: Floats
    overlap_weight: Floats

    @property
    def switches(self) -> Ints:
        """The positions of the polls that changed the regime."""
        return 1 + np.flatnonzero(np.diff(self.regime))

    def parameters(self, routed: Floats) -> tuple[Floats, Floats]:
        """Temperature and overlap weight of decisions made at these times.

        A poll sees all that happens at its instant, so it counts for what comes later.
        """
        entry = np.maximum(0, np.searchsorted(self.time, routed, side="left") - 1)
        return self.temperature[entry], self.overlap_weight[entry]


def control_history(
    decisions: Sequence[Decision], start: Override, router: Router, dry_run: bool
) -> ControlHistory:
    """The history of a run whose router began with `start`, or was the scenario's own all along."""
    applied: list[Override | Router] = [start, *(decision.override for decision in decisions)]
    if dry_run:
        applied = [router] * len(applied)
    return ControlHistory(
        time=np.array([0.0, *(decision.time for decision in decisions)]),
        p99=_numbers([None, *(decision.p99 for decision in decisions)]),
        average=_numbers([None, *(decision.average for decision in decisions)]),
        regime=np.array([0, *(REGIMES.index(d.regime) for d in decisions)], np.int64),
        temperature=np.array([parameters.temperature for parameters in applied]),
        overlap_weight=np.array([parameters.overlap_weight for parameters in applied]),
    )


def _numbers(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values])
