"""Where the rows of a run go, piece by piece and in order of arrival."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anarchy.serving.log.request_log import RequestLog


class Sink(Protocol):
    """Takes the rows of requests that are done."""

    def take(self, log: RequestLog, measured: NDArray[np.bool_]) -> None:
        """The next rows; `measured` as in `request_log.Run`."""


class Memory:
    """Keeps all rows."""

    def __init__(self) -> None:
        self._logs: list[RequestLog] = []
        self._measured: list[NDArray[np.bool_]] = []

    def take(self, log: RequestLog, measured: NDArray[np.bool_]) -> None:
        self._logs.append(log)
        self._measured.append(measured)

    def log(self) -> RequestLog:
        """All rows."""
        return joined(self._logs)

    def measured(self) -> NDArray[np.bool_]:
        """Which of them were done after the warm-up."""
        return np.concatenate(self._measured)


def joined(logs: Sequence[RequestLog]) -> RequestLog:
    """One log out of consecutive pieces."""
    if len(logs) == 1:
        return logs[0]
    columns = {
        name: np.concatenate([getattr(log, name) for log in logs]) for name in logs[0].columns()
    }
    return RequestLog(**columns)
