"""Rows of results as samples: a mean over replications with a 95 % interval, which can be widened.

The claims are judged together. Bonferroni: with N claims, of which one uses k intervals, each of
its intervals has the error 0.05 / (N k) instead of 0.05, so that all intervals of all claims hold
together with 95 %. An interval over n replications is a Student one, so that it is widened by the
ratio of two of its quantiles; both ends are, each by its own distance from the value, which for
the interval of a ratio (Fieller) is an approximation.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anarchy.common.files import same_value
from anarchy.config.claims.evidence import Selection, Wanted

Row = Mapping[str, Any]

CONFIDENCE = 0.95
"""Of the intervals in results."""


@dataclass(frozen=True)
class Sample:
    """A number of results: `lo` and `hi` at 95 %, both `value` where it is exact; `n` runs."""

    row: Row
    value: float
    lo: float
    hi: float
    n: int

    @property
    def exact(self) -> bool:
        """Whether there is no interval to widen."""
        return self.lo == self.value == self.hi

    @property
    def deviation(self) -> float:
        """Standard deviation between runs, from the interval of their mean."""
        half = (self.hi - self.lo) / 2
        return half * math.sqrt(self.n) / quantile(self.n, 1 - CONFIDENCE) if half else 0.0

    def ends(self, error: float) -> tuple[float, float]:
        """The interval that misses with probability `error`."""
        if self.exact:
            return self.lo, self.hi
        factor = quantile(self.n, error) / quantile(self.n, 1 - CONFIDENCE)
        value = self.value
        return value - factor * (value - self.lo), value + factor * (self.hi - value)


def quantile(n: int, error: float) -> float:
    """How many standard errors of a mean of n runs its interval of this error reaches."""
    from scipy.special import stdtrit

    return float(-stdtrit(max(n - 1, 1), error / 2))


def select(selection: Selection, rows: Iterable[Row]) -> list[Row]:
    """The rows that have all columns of a selection, as it wants them."""
    wanted = selection.columns.items()
    return [row for row in rows if all(k in row and _is(row[k], v) for k, v in wanted)]


def samples(selection: Selection, rows: Iterable[Row]) -> list[Sample]:
    """The selected rows as numbers; those without a value are left out.

    A limit that is absent or null where its value is known leaves the value without a limit on
    that side, unless neither column is there: such a number is exact.
    """
    found = []
    for row in select(selection, rows):
        value = row.get(selection.field)
        if value is None or isinstance(value, str):
            continue
        lo, hi = (_limit(row, selection.field, end, float(value)) for end in ("lo", "hi"))
        found.append(Sample(row, float(value), lo, hi, int(row.get("n") or 1)))
    return found


def grouped(found: Iterable[Sample], per: Sequence[str]) -> dict[str, list[Sample]]:
    """Samples by the columns that tell groups apart, in order of their occurrence."""
    groups: dict[str, list[Sample]] = {}
    for sample in found:
        name = ", ".join(str(sample.row.get(column)) for column in per)
        groups.setdefault(name, []).append(sample)
    return groups


def _limit(row: Row, field: str, end: str, value: float) -> float:
    names = [end] if field == "value" else [f"{field}_{end}", f"{field}-{end}"]
    known = [name for name in names if name in row]
    if not known:
        return value
    limit = row[known[0]]
    if limit is None:
        return -math.inf if end == "lo" else math.inf
    return float(limit)


def _is(stored: Any, wanted: Wanted) -> bool:
    choices = [wanted] if isinstance(wanted, str) or not isinstance(wanted, Sequence) else wanted
    return any(same_value(stored, choice) for choice in choices)
