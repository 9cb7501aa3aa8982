"""An event loop whose clock is made up: it stands still while code runs and jumps over sleeps."""

import asyncio
import selectors
from collections.abc import Awaitable, Coroutine, Sequence
from itertools import accumulate
from typing import Any, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

arrivals = st.lists(st.floats(1e-4, 0.2), min_size=1, max_size=12).map(
    lambda gaps: list(accumulate(gaps))
)
"""Times that increase: in what order a loop wakes two that sleep until one moment is not said."""


class JumpingSelector(selectors.SelectSelector):
    """Instead of waiting it advances the clock; nothing but time ever happens."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "everybody waits, and nothing will ever happen"
        self.now += timeout
        return []


class MadeUpTime(asyncio.SelectorEventLoop):
    """Hours of sleep in no time."""

    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """What it returns, under a made-up clock that starts at 0."""
    with asyncio.Runner(loop_factory=MadeUpTime) as runner:
        return runner.run(main)


async def beside(engine: Coroutine[Any, Any, None], jobs: Sequence[Awaitable[T]]) -> list[T]:
    """What the jobs return that an engine serves."""
    running = asyncio.ensure_future(engine)
    try:
        return await asyncio.gather(*jobs)
    finally:
        running.cancel()


async def sleep_until(moment: float) -> None:
    """Sleep on the made-up clock."""
    await asyncio.sleep(moment - asyncio.get_running_loop().time())
