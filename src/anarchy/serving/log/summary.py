"""A run in a few numbers, out of rows that come piece by piece.

Of every measured request it keeps three times, so that a percentile is exact however long the run.
"""

import numpy as np
from numpy.typing import NDArray

from anarchy.serving.log.request_log import Floats, RequestLog


class Summary:
    """Takes the rows of a run (see `log.sinks.Sink`)."""

    def __init__(self) -> None:
        self._ttft: list[Floats] = []
        self._itl: list[Floats] = []
        self._e2e: list[Floats] = []
        self._rows = self._cached = self._input = 0

    def take(self, log: RequestLog, measured: NDArray[np.bool_]) -> None:
        """The next rows."""
        self._rows += len(log)
        self._ttft.append(log.ttft[measured])
        self._itl.append(log.itl[measured])
        self._e2e.append(log.e2e[measured])
        self._cached += int(log.cached_tokens[measured].sum())
        self._input += int(log.input_tokens[measured].sum())

    def figures(self, window: float, seconds: float) -> dict[str, float | int | None]:
        """The numbers, times in seconds; None where a run has no such number.

        `window` is the simulated time after warm-up, `seconds` what the run took.
        """
        ttft = np.concatenate(self._ttft)
        p50, p99 = np.percentile(ttft, [50, 99])
        return {
            "requests": len(ttft),
            "mean_ttft": float(ttft.mean()),
            "p50_ttft": float(p50),
            "p99_ttft": float(p99),
            "mean_itl": float(np.concatenate(self._itl).mean()),
            "mean_e2e": float(np.concatenate(self._e2e).mean()),
            "throughput": len(ttft) / window if window > 0 else None,
            "prefix_reuse": self._cached / self._input,
            "requests_per_wall_second": self._rows / seconds,
        }
