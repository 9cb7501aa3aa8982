"""What campaigns have in common: looking at the stack while clients ask it, and judging whether the
machine left it the time to be looked at."""

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.error import URLError
from urllib.request import urlopen

from anarchy.config.live import LiveCampaign
from anarchy.live.measuring.load import PATIENCE
from anarchy.live.measuring.machine import ProcessorTime, processor_time
from anarchy.live.measuring.metrics import Reading, read_metrics
from anarchy.live.processes import LiveError
from anarchy.live.stack import Stack

ATTEMPTS = 3
"""How often something is measured before the machine is said to be too loaded for it."""

WATCH = 1.0
"""Seconds between two looks at whether all processes are alive."""


class Listener(Protocol):
    """Hears how the campaign comes along."""

    def begins(self, what: str) -> None:
        """A stack is started, or a point or run measured."""

    def ended(self, name: str) -> None:
        """A point or run is kept."""

    def failed(self, fault: str) -> None:
        """A measurement does not count, and is taken again."""


class Seen(Protocol):
    """What is observed of a point or run."""

    @property
    def free(self) -> float:
        """The share of the processors' time that was free."""

    @property
    def lateness(self) -> float:
        """By how many seconds engines woke late, the 99th percentile."""


S = TypeVar("S", bound=Seen)


def settled(name: str, observe: Callable[[], S], settings: LiveCampaign, listener: Listener) -> S:
    """The first observation that counts."""
    for attempt in range(1, ATTEMPTS + 1):
        seen = observe()
        fault = _disturbance(seen, settings)
        if fault is None:
            return seen
        if attempt < ATTEMPTS:
            listener.failed(f"{name}: {fault}; measured again")
    raise LiveError(f"{name}: the machine is too loaded to measure: {fault}")


def _disturbance(seen: Seen, settings: LiveCampaign) -> str | None:
    """Why a measurement does not count, if it does not."""
    if seen.free < settings.free:
        return (
            f"{100 * seen.free:.0f} % of the processors' time was free, "
            f"{100 * settings.free:g} % are wanted"
        )
    if seen.lateness > settings.lateness:
        return (
            f"engines woke up {1000 * seen.lateness:.0f} ms late in one of a hundred cases, "
            f"allowed: {1000 * settings.lateness:g} ms"
        )
    return None


class Glance(NamedTuple):
    """What is read in no time."""

    log_bytes: int
    processors: ProcessorTime


class Report(NamedTuple):
    """What is asked for, while the clients go on."""

    metrics: Reading
    lateness: float


def glance(stack: Stack) -> Glance:
    """Read how long the router's log is, and the clock of the processors."""
    return Glance(stack.router_log.stat().st_size, processor_time())


def log_between(stack: Stack, start: Glance, end: Glance) -> list[str]:
    """The lines of the router's log that were written between two glances."""
    with stack.router_log.open("rb") as log:
        log.seek(start.log_bytes)
        text = log.read(end.log_bytes - start.log_bytes).decode(errors="replace")
    return text.splitlines()


async def report(stack: Stack) -> Report:
    """Ask the metrics page, and the engines for how late they woke since the last time."""
    page = await asyncio.to_thread(_page, f"{stack.url}/metrics")
    late = await asyncio.to_thread(stack.lateness)
    return Report(read_metrics(page), late.get("p99", 0.0))


def _page(url: str) -> str:
    try:
        with urlopen(url, timeout=PATIENCE) as page:
            text: str = page.read().decode()
            return text
    except (URLError, OSError) as error:
        raise LiveError(f"{url}: no answer: {error}") from None


async def watch(stack: Stack) -> None:
    """Raise LiveError as soon as a process has died."""
    while True:
        stack.check()
        await asyncio.sleep(WATCH)


def first_fault(faults: BaseExceptionGroup[Any]) -> LiveError:
    """One of the faults of a group, which may hold groups."""
    fault = faults.exceptions[0]
    return first_fault(fault) if isinstance(fault, BaseExceptionGroup) else fault
