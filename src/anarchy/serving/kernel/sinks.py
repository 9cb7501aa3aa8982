"""Where the rows of a run go, piece by piece and in order of arrival."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anarchy.serving.log import Ints, RequestLog


class Sink(Protocol):
    """Takes the rows of requests that are done; `completion` is 1 for the first one done, and so
    on."""

    def take(self, log: RequestLog, completion: Ints) -> None:
        """The next rows."""


class Memory:
    """Keeps all rows."""

    def __init__(self) -> None:
        self._logs: list[RequestLog] = []
        self._completions: list[Ints] = []

    def take(self, log: RequestLog, completion: Ints) -> None:
        self._logs.append(log)
        self._completions.append(completion)

    def log(self) -> RequestLog:
        """All rows."""
        return joined(self._logs)

    def completions(self) -> NDArray[np.int64]:
        """In which order they were done."""
        return np.concatenate(self._completions)


def joined(logs: Sequence[RequestLog]) -> RequestLog:
    """One log out of consecutive pieces."""
    if len(logs) == 1:
        return logs[0]
    columns = {
        name: np.concatenate([getattr(log, name) for log in logs]) for name in logs[0].columns()
    }
    return RequestLog(**columns)
