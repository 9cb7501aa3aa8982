"""The clock sleeps until absolute moments and knows how late it woke."""

import asyncio
import time

from anarchy.live.clock import Clock
from tests.live.made_up_time import run


def test_it_sleeps_until_the_moment() -> None:
    async def sleep() -> float:
        clock = Clock()
        await clock.until(2.5)
        await clock.until(7.25)
        return clock.now()

    assert run(sleep()) == 7.25


def test_a_moment_that_has_passed_is_noted_and_not_slept_for() -> None:
    async def sleep() -> tuple[float, dict[str, float]]:
        clock = Clock()
        await clock.until(8.0)
        await clock.until(5.0)
        return clock.now(), clock.lateness()

    assert run(sleep()) == (8.0, {"p50": 0.0, "p99": 3.0, "max": 3.0})


def test_lateness_is_that_since_the_last_call() -> None:
    async def sleep() -> list[dict[str, float]]:
        clock = Clock()
        await asyncio.sleep(100)
        for late in range(100):
            await clock.until(100 - late)
        return [clock.lateness(), clock.lateness()]

    assert run(sleep()) == [{"p50": 49, "p99": 98, "max": 99}, {}]


def test_it_notes_what_keeps_the_loop_busy() -> None:
    async def sleep() -> dict[str, float]:
        clock = Clock()
        sleeping = asyncio.ensure_future(clock.until(clock.now() + 0.01))
        await asyncio.sleep(0)
        time.sleep(0.05)  # somebody holds the loop
        await sleeping
        return clock.lateness()

    assert asyncio.run(sleep())["max"] >= 0.04
