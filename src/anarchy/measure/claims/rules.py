"""The rules by which rows of results become a number with an interval, and that a judgement.

A rule takes one group of samples, and one to compare with where a test has it; `error` is the
probability with which each of their intervals may miss. Intervals of what a rule computes hold
whenever all of its samples' do, so that they are wide rather than wrong.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anarchy.common.registry import Registry
from anarchy.config.claims.evidence import Comparison
from anarchy.measure.claims.samples import Sample

Samples = Sequence[Sample]


@dataclass(frozen=True)
class Found:
    """What a rule made of a group."""

    value: float
    lo: float
    hi: float


Statistic = Callable[[Samples, Samples, float], Found]

Judge = Callable[[Comparison, Found], bool | None]
"""Whether a test holds for what was found; None: that is not decided."""


@dataclass(frozen=True)
class Rule:
    """A statistic of one group, and how it is judged."""

    statistic: Statistic
    judge: Judge
    bounded: bool  # whether it needs 'at_least' or 'at_most'
    compares: bool  # whether it needs 'of'

    @property
    def summary(self) -> str:
        """What it computes, in one line."""
        return (self.statistic.__doc__ or "").partition("\n")[0]


RULES: Registry[Rule] = Registry("rule of claims")


def between(test: Comparison, found: Found) -> bool | None:
    """True with the whole interval between the ends, False with none of it, None otherwise."""
    lowest = -math.inf if test.at_least is None else test.at_least
    highest = math.inf if test.at_most is None else test.at_most
    if found.hi < lowest or found.lo > highest:
        return False
    return True if lowest <= found.lo and found.hi <= highest else None


def _shows(test: Comparison, found: Found) -> bool | None:
    """True if everything checked holds: then the claim is proved."""
    return True if found.value == 1 else None


def _denies(test: Comparison, found: Found) -> bool | None:
    """False if everything checked holds: then the claim is refuted."""
    return False if found.value == 1 else None


def rule(
    name: str, judge: Judge = between, bounded: bool = True, compares: bool = False
) -> Callable[[Statistic], Statistic]:
    """A decorator that registers a statistic as a rule."""

    def add(statistic: Statistic) -> Statistic:
        RULES.register(name)(Rule(statistic, judge, bounded, compares))
        return statistic

    return add


@rule("value")
def value(group: Samples, of: Samples, error: float) -> Found:
    """The number itself; of several the mean, with the ends of them all."""
    ends = [sample.ends(error) for sample in group]
    mean = sum(sample.value for sample in group) / len(group)
    return Found(mean, min(lo for lo, _ in ends), max(hi for _, hi in ends))


@rule("least")
def least(group: Samples, of: Samples, error: float) -> Found:
    """The least of the numbers."""
    ends = [sample.ends(error) for sample in group]
    low = min(sample.value for sample in group)
    return Found(low, min(lo for lo, _ in ends), min(hi for _, hi in ends))


@rule("ratio", compares=True)
def ratio(group: Samples, of: Samples, error: float) -> Found:
    """The mean of the numbers over the mean of those that they are compared with."""
    above, below = value(group, (), error), value(of, (), error)
    if below.lo <= 0:
        return Found(above.value / below.value if below.value else math.inf, -math.inf, math.inf)
    ends = [a / b for a in (above.lo, above.hi) for b in (below.lo, below.hi)]
    return Found(above.value / below.value, min(ends), max(ends))


@rule("half-range")
def half_range(group: Samples, of: Samples, error: float) -> Found:
    """Half the distance between the greatest and the least of the numbers."""
    ends = [sample.ends(error) for sample in group]
    values = [sample.value for sample in group]
    apart = max(lo for lo, _ in ends) - min(hi for _, hi in ends)
    most = max(hi for _, hi in ends) - min(lo for lo, _ in ends)
    return Found((max(values) - min(values)) / 2, max(0.0, apart / 2), most / 2)


@rule("variation")
def variation(group: Samples, of: Samples, error: float) -> Found:
    """The coefficient of variation of the numbers."""
    deviation, mean = _deviation(group, error), value(group, (), error).value
    return Found(deviation.value / mean, deviation.lo / mean, deviation.hi / mean)


@rule("variance-ratio", compares=True)
def variance_ratio(group: Samples, of: Samples, error: float) -> Found:
    """The variance of the numbers over that of those that they are compared with."""
    above, below = _deviation(group, error), _deviation(of, error)
    return Found(*((_over(a, b)) ** 2 for a, b in zip(_parts(above), _swapped(below), strict=True)))


@rule("effect-ratio", compares=True)
def effect_ratio(group: Samples, of: Samples, error: float) -> Found:
    """The largest difference, of either sign, over the largest of what it is compared with."""
    above, below = _largest(group, error), _largest(of, error)
    return Found(*(_over(a, b) for a, b in zip(_parts(above), _swapped(below), strict=True)))


@rule("between-runs")
def between_runs(group: Samples, of: Samples, error: float) -> Found:
    """The coefficient of variation between the replications behind a number."""
    from scipy.special import chdtri

    (sample,) = group
    found, free = sample.deviation / abs(sample.value), max(sample.n - 1, 1)
    lo, hi = (found * math.sqrt(free / chdtri(free, p)) for p in (error / 2, 1 - error / 2))
    return Found(found, lo, hi)


@rule("proved", _shows, bounded=False)
def proved(group: Samples, of: Samples, error: float) -> Found:
    """The share of a theorem's checks that hold; all: the claim follows from it."""
    return _share(group)


@rule("refuted", _denies, bounded=False)
def refuted(group: Samples, of: Samples, error: float) -> Found:
    """The share of a theorem's checks that hold; all: the claim contradicts it."""
    return _share(group)


def _share(group: Samples) -> Found:
    share = sum(sample.value for sample in group) / len(group)
    return Found(share, share, share)


def _deviation(group: Samples, error: float) -> Found:
    """The standard deviation of the true means behind the numbers.

    By the triangle inequality it differs from that of the numbers by at most the root mean square
    of their errors.
    """
    mean = sum(sample.value for sample in group) / len(group)
    found = math.sqrt(sum((sample.value - mean) ** 2 for sample in group) / len(group))
    halves = [max(v.value - v.ends(error)[0], v.ends(error)[1] - v.value) for v in group]
    off = math.sqrt(sum(half**2 for half in halves) / len(group))
    return Found(found, max(0.0, found - off), found + off)


def _largest(group: Samples, error: float) -> Found:
    """The largest absolute number."""
    ends = [sample.ends(error) for sample in group]
    return Found(
        max(abs(sample.value) for sample in group),
        max(max(lo, -hi, 0.0) for lo, hi in ends),
        max(max(-lo, hi) for lo, hi in ends),
    )


def _parts(found: Found) -> tuple[float, float, float]:
    return found.value, found.lo, found.hi


def _swapped(found: Found) -> tuple[float, float, float]:
    return found.value, found.hi, found.lo


def _over(above: float, below: float) -> float:
    return above / below if below > 0 else math.inf if above > 0 else 0.0
