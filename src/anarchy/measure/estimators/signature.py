"""A family of estimators held against what was published of the index.

Every statistic is one number for each scenario and member, from the means over replications; a
property of the study says between which ends it has to lie. What is undefined meets nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anarchy.common.registry import Registry
from anarchy.config.estimator import EstimatorStudy, Property
from anarchy.measure.bracket.thermometer import order, rank_correlations, slopes
from anarchy.measure.estimators.members import COLUMNS, LOADS, SETTING, VARIANT, cells
from anarchy.serving.log.request_log import Floats

CRITERIA = ("e2e", "ttft")
"""What losses are known by: the means of these times."""


@dataclass(frozen=True)
class Readings:
    """What the members of a study's family read.

    `numbers` has the shape scenarios x replications x cells x members x `COLUMNS`.
    """

    study: EstimatorStudy
    numbers: Floats

    @property
    def values(self) -> Floats:
        """The indices, scenarios x replications x cells x members."""
        return self.numbers[..., COLUMNS.index("value")]

    @cached_property
    def _rows(self) -> Mapping[tuple[str, int], list[int]]:
        rows: dict[tuple[str, int], list[int]] = defaultdict(list)
        for number, cell in enumerate(cells(self.study)):
            rows[cell.kind, cell.clients].append(number)
        return rows

    def at(self, clients: int) -> Floats:
        """At a load, with the scenario's own settings: scenarios x replications x members."""
        return self.values[:, :, self._rows[LOADS, clients][0]]

    def curve(self, column: str = "value") -> Floats:
        """Means over replications at all loads: scenarios x loads x members."""
        rows = [self._rows[LOADS, clients][0] for clients in self.study.clients]
        means: Floats = self.numbers[..., COLUMNS.index(column)][:, :, rows].mean(axis=1)
        return means

    def settings(self, clients: int) -> Floats:
        """Over the settings at a load: scenarios x replications x settings x members."""
        return self.values[:, :, self._rows[SETTING, clients]]

    def routers(self, clients: int, column: str) -> Floats:
        """Over all routers at a load: scenarios x replications x routers x members.

        These are the settings, and the variants that leave the workload as it is.
        """
        fields = self.study.variants.values()
        alike = [not any(path.startswith("workload") for path in given) for given in fields]
        rows = self._rows[SETTING, clients] + [
            row for row, use in zip(self._rows[VARIANT, clients], alike, strict=True) if use
        ]
        return self.numbers[..., COLUMNS.index(column)][:, :, rows]

    def variant(self, name: str, clients: int) -> Floats:
        """The mean of a variant at a load: scenarios x members."""
        row = self._rows[VARIANT, clients][list(self.study.variants).index(name)]
        mean: Floats = self.values[:, :, row].mean(axis=1)
        return mean

    @cached_property
    def losses(self) -> tuple[dict[str, Floats], dict[str, int]]:
        """See `followed`, which takes a while."""
        return followed(self)


Statistic = Callable[[Readings], Floats]
"""Scenarios x members."""

STATISTICS: Registry[Statistic] = Registry("statistic")


@STATISTICS.register("plateau")
def plateau(readings: Readings) -> Floats:
    """The index at the plateau's load."""
    return _mean(readings.at(readings.study.plateau))


@STATISTICS.register("deep")
def deep(readings: Readings) -> Floats:
    """The index at the load of deep saturation."""
    return _mean(readings.at(readings.study.deep))


@STATISTICS.register("largest")
def largest(readings: Readings) -> Floats:
    """The largest index over the loads."""
    most: Floats = np.fmax.reduce(readings.curve(), axis=1)  # over the loads where it is defined
    return most


@STATISTICS.register("growth")
def growth(readings: Readings) -> Floats:
    """The index in deep saturation over that of the plateau."""
    return deep(readings) / plateau(readings)


@STATISTICS.register("artefact")
def artefact(readings: Readings) -> Floats:
    """How far the index of a low load is off the plateau, as a share of it; the furthest."""
    low = [i for i, load in enumerate(readings.study.clients) if load <= readings.study.low]
    off: Floats = np.abs(readings.curve()[:, low] / plateau(readings)[:, None] - 1).max(axis=1)
    return off


@STATISTICS.register("flatness")
def flatness(readings: Readings) -> Floats:
    """The largest index over the least on the loads of the plateau."""
    rows = [readings.study.clients.index(load) for load in readings.study.flat]
    levels = readings.curve()[:, rows]
    ratio: Floats = levels.max(axis=1) / levels.min(axis=1)
    return ratio


@STATISTICS.register("spread")
def spread(readings: Readings) -> Floats:
    """The coefficient of variation over the settings at the plateau's load."""
    return _variation(_mean(readings.settings(readings.study.plateau)))


@STATISTICS.register("variance-ratio")
def variance_ratio(readings: Readings) -> Floats:
    """The variance over the settings in deep saturation over that on the plateau."""
    saturated, level = (
        _mean(readings.settings(load)).var(axis=1, ddof=1)
        for load in (readings.study.deep, readings.study.plateau)
    )
    ratio: Floats = saturated / level
    return ratio


@STATISTICS.register("seed-cv")
def seed_cv(readings: Readings) -> Floats:
    """The coefficient of variation over replications in deep saturation."""
    return _variation(readings.at(readings.study.deep))


@STATISTICS.register("least")
def least(readings: Readings) -> Floats:
    """The least index over settings and replications at the plateau's load."""
    lowest: Floats = readings.settings(readings.study.plateau).min(axis=(1, 2))
    return lowest


def thermometer(readings: Readings) -> tuple[Floats, Floats]:
    """How the index follows the true cost from router to router: slopes and rank correlations.

    Both per replication and member. The cost is the run's mean end-to-end latency; scenario, load
    and requests are the same for all routers of a group, so that its logarithm differs from that
    of the run's loss by a constant. The slope is that of log index over log cost, all groups
    pooled after each is centred; the rank correlation (Spearman) is the mean over groups.
    """
    study = readings.study
    loads = (study.plateau, study.deep)
    index = np.stack([readings.routers(load, "value") for load in loads])
    cost = np.stack([readings.routers(load, "e2e") for load in loads])
    x, y = (v - v.mean(axis=3, keepdims=True) for v in (np.log(cost), np.log(index)))
    slope: Floats = (x * y).sum(axis=(0, 1, 3)) / (x * x).sum(axis=(0, 1, 3))
    a, b = (_ranks(values) for values in (cost, index))
    correlation = (a * b).sum(axis=3) / np.sqrt((a * a).sum(axis=3) * (b * b).sum(axis=3))
    return slope, correlation.mean(axis=(0, 1))


def followed(readings: Readings) -> tuple[dict[str, Floats], dict[str, int]]:
    """How the index follows what was lost over all runs, whatever scenario, load and system.

    By criterion c (e2e, ttft; of the means), per replication and member: `c-order` over the pairs
    of runs whose brackets do not overlap, rank correlations `c-rank:least` and `c-rank:most` with
    either end, and `c-slope` over their middle (geometric); see `measure.bracket.thermometer`.
    With them the numbers of the pairs.
    """
    found: dict[str, list[Floats]] = defaultdict(list)
    pairs: dict[str, int] = defaultdict(int)
    for part in readings.numbers.swapaxes(0, 1):
        runs = part.reshape(-1, *part.shape[2:])
        index = runs[..., COLUMNS.index("value")]
        for criterion in CRITERIA:
            ends = [COLUMNS.index(f"{criterion}-mean:{end}") for end in ("lo", "hi")]
            losses = runs[:, 0, ends]
            ordered, count = order(index, losses[:, 0], losses[:, 1])
            least, most = rank_correlations(index, losses)
            (slope,) = slopes(index, np.sqrt(losses.prod(axis=1, keepdims=True)))
            pairs[criterion] += count
            values = {"order": ordered, "rank:least": least, "rank:most": most, "slope": slope}
            for name, value in values.items():
                found[f"{criterion}-{name}"].append(value)
    return {name: np.stack(values) for name, values in found.items()}, pairs


def _ranks(values: Floats) -> Floats:
    """Centred ranks along the axis of routers, equal values sharing theirs."""
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=3, nan_policy="propagate")
    centred: Floats = ranks - ranks.mean(axis=3, keepdims=True)
    return centred


def meets(wanted: Property, readings: Readings) -> NDArray[np.bool_]:
    """Which members meet a property, on its scenario or on all; none where that is not studied."""
    found = STATISTICS[wanted.statistic](readings)
    if wanted.scenario is not None:
        judged = [name == wanted.scenario for name in readings.study.scenarios]
        found = found[judged] if any(judged) else np.full_like(found, np.nan)
    lowest = -np.inf if wanted.at_least is None else wanted.at_least
    highest = np.inf if wanted.at_most is None else wanted.at_most
    inside = (found >= lowest) & (found <= highest)
    everywhere: NDArray[np.bool_] = np.all(inside, axis=0)
    return everywhere


def signature(readings: Readings) -> dict[str, NDArray[np.bool_]]:
    """Which members meet each property of the study, by its name."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: meets(p, readings) for name, p in readings.study.properties.items()}


def _mean(values: Floats) -> Floats:
    """Over replications, the second axis."""
    mean: Floats = values.mean(axis=1)
    return mean


def _variation(values: Floats) -> Floats:
    """The coefficient of variation over the second axis."""
    variation: Floats = values.std(axis=1, ddof=1) / values.mean(axis=1)
    return variation
