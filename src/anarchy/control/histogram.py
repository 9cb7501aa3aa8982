"""Cumulative histograms as Prometheus has them, and the quantiles that it reads from them."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Histogram:
    """`counts[i]` observations so far were at most `edges[i]`.

    Edges ascend and the last one is infinite. Counts only grow, until whoever counts starts anew.
    """

    edges: tuple[float, ...]
    counts: tuple[float, ...]

    @classmethod
    def empty(cls, finite_edges: Iterable[float]) -> Self:
        """Nothing observed yet."""
        edges = (*finite_edges, math.inf)
        return cls(edges, (0.0,) * len(edges))

    def adding(self, values: Sequence[float] | NDArray[np.float64]) -> "Histogram":
        """With further observations."""
        new = np.searchsorted(np.sort(values), self.edges, side="right")
        counts = (count + float(more) for count, more in zip(self.counts, new, strict=True))
        return Histogram(self.edges, tuple(counts))

    def since(self, earlier: "Histogram") -> "Histogram | None":
        """What was observed after `earlier`; None if the two do not belong to one count.

        That is so where a count is lower than before, which a restart makes it, and where the
        edges are others.
        """
        if self.edges != earlier.edges:
            return None
        counts = tuple(
            now - before for now, before in zip(self.counts, earlier.counts, strict=True)
        )
        return Histogram(self.edges, counts) if min(counts) >= 0 else None

    def quantile(self, level: float) -> float | None:
        """The quantile, as PromQL's `histogram_quantile` interpolates it; None of nothing.

        Observations are taken to lie evenly within their bucket, the first of which begins at 0.
        Of those above the last finite edge only that edge is known.
        Source: `bucketQuantile` in Prometheus' promql/quantile.go.
        """
        total = self.counts[-1]
        if len(self.edges) < 2 or not total > 0:
            return None
        rank = level * total
        bucket = bisect_left(self.counts, rank, hi=len(self.counts) - 1)
        upper = self.edges[bucket]
        if bucket == len(self.counts) - 1:
            return self.edges[-2]
        if bucket == 0:
            return upper * (rank / self.counts[0]) if upper > 0 else upper
        lower, before = self.edges[bucket - 1], self.counts[bucket - 1]
        return lower + (upper - lower) * ((rank - before) / (self.counts[bucket] - before))
