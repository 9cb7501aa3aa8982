"""The wall clock of an engine: it sleeps until absolute moments and notes how late it woke."""

import asyncio
import math


class Clock:
    """The event loop's clock; a test gives a loop whose time is made up."""

    def __init__(self) -> None:
        self._late: list[float] = []

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return asyncio.get_running_loop().time()

    async def until(self, moment: float) -> None:
        """Sleep until a moment of `now`; one that has passed is only noted."""
        await asyncio.sleep(max(0.0, moment - self.now()))
        self._late.append(self.now() - moment)

    def lateness(self) -> dict[str, float]:
        """Quantiles, by name, of the seconds between a moment and waking up since the last call.

        Empty if it never slept.
        """
        late, self._late = sorted(self._late), []
        levels = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        return {
            name: late[math.ceil(level * len(late)) - 1] for name, level in levels.items() if late
        }
