"""The frontend's metrics page, as Prometheus reads it: counters, and histograms of buckets.

All of them only ever grow, so that what happened in between is the difference of two readings.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from anarchy.control import histogram as control
from anarchy.live.processes import LiveError

TTFT = "dynamo_frontend_time_to_first_token_seconds"
REQUESTS = "dynamo_frontend_requests_total"

_SAMPLE = re.compile(r"(?P<name>[A-Za-z_:][\w:]*)(\{(?P<labels>.*)\})? (?P<value>\S+)( \d+)?$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Histogram:
    """Observations by bucket: `counts[edge]` of them were at most `edge` (cumulative)."""

    counts: Mapping[float, float]
    total: float  # the sum of the observations

    @property
    def count(self) -> float:
        """All observations."""
        return max(self.counts.values(), default=0.0)

    def quantile(self, level: float) -> float | None:
        """The quantile as Prometheus estimates it; None of nothing."""
        return control.Histogram(tuple(self.counts), tuple(self.counts.values())).quantile(level)

    def since(self, earlier: "Histogram") -> "Histogram":
        """What was observed after an earlier reading."""
        counts = {
            edge: count - earlier.counts.get(edge, 0.0) for edge, count in self.counts.items()
        }
        return Histogram(counts, self.total - earlier.total)


@dataclass(frozen=True)
class Reading:
    """A reading of the page: the samples by name, each with its labels."""

    samples: Mapping[str, list[tuple[dict[str, str], float]]]

    def counter(self, name: str) -> float:
        """The sum over all labels; 0 before anything was counted."""
        return sum(value for _, value in self.samples.get(name, []))

    def histogram(self, name: str) -> Histogram:
        """A histogram, summed over all other labels."""
        counts: dict[float, float] = {}
        for labels, value in self.samples.get(f"{name}_bucket", []):
            edge = float(labels["le"])
            counts[edge] = counts.get(edge, 0.0) + value
        return Histogram(dict(sorted(counts.items())), self.counter(f"{name}_sum"))


def read_metrics(page: str) -> Reading:
    """Parse the page; raises LiveError for a line that is none of its format."""
    samples: dict[str, list[tuple[dict[str, str], float]]] = {}
    for number, line in enumerate(page.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        sample = _SAMPLE.match(line)
        if sample is None:
            raise LiveError(f"the metrics page, line {number}: no sample of a metric")
        labels = dict(_LABEL.findall(sample["labels"] or ""))
        samples.setdefault(sample["name"], []).append((labels, float(sample["value"])))
    return Reading(samples)
