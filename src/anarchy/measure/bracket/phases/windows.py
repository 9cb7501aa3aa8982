"""Who may be active when: what the clock of the phases fixes, whatever the schedule.

A client is active while it pauses or has a request in the system. All that ask are; those that are
too many for a phase end what they have begun, so they are gone after the longest pause and stay.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from anarchy.config.workload import ClosedLoop


@dataclass(frozen=True)
class Span:
    """A phase: seconds from the start of the run, and how many clients ask."""

    name: str
    start: float
    end: float
    clients: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Window:
    """A phase, or all of them (`phase` is None): seconds from the start of the run.

    Clients are numbered from 0, and those that ask are the first ones. `before`, `within` and
    `after` are more than the number of any client that may be active just before the window,
    anywhere in it, and at its end. `crowd` and `last_crowd` are that for as long as a request
    that is done in it, or in the system at its end, may have been there with others.
    """

    phase: str | None
    start: float
    end: float
    asked: float  # client-seconds of those that ask
    active: float  # client-seconds of those that may be active, at most
    before: int
    within: int
    after: int
    crowd: int
    last_crowd: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.end - self.start


def spans(workload: ClosedLoop) -> list[Span]:
    """The phases of a workload, in order of time; one without a name has a number."""
    found: list[Span] = []
    for number, phase in enumerate(workload.phases, start=1):
        start = found[-1].end if found else 0.0
        name = phase.name or f"phase {number}"
        clients = phase.clients or workload.clients
        found.append(Span(name, start, start + phase.duration, clients))
    return found


def windows(workload: ClosedLoop, longest: float) -> Iterator[Window]:
    """Each phase, then the whole run; `longest` are the seconds of a pause and stay at most."""
    phases = spans(workload)
    for span in phases:
        yield _window(span.name, phases, [span], longest)
    yield _window(None, phases, phases, longest)


def _window(name: str | None, phases: list[Span], part: list[Span], longest: float) -> Window:
    start, end = part[0].start, part[-1].end
    before = _most(phases, start - longest, start)
    return Window(
        name,
        start,
        end,
        asked=sum(span.clients * span.duration for span in part),
        active=sum(_active(phases, span, longest) for span in part),
        before=before,
        within=max(before, *(span.clients for span in part)),
        after=_most(phases, end - longest, end),
        crowd=_most(phases, start - 2 * longest, end),
        last_crowd=_most(phases, end - 2 * longest, end),
    )


def _active(phases: list[Span], span: Span, longest: float) -> float:
    """Client-seconds in a phase at most: of those that ask, and of those that are to leave."""
    leaving = max(0, _most(phases, span.start - longest, span.start) - span.clients)
    return span.clients * span.duration + leaving * min(span.duration, longest)


def _most(phases: list[Span], since: float, until: float) -> int:
    """Most clients that have asked at some moment between two, the end being left out."""
    return max((s.clients for s in phases if s.end >= since and s.start < until), default=0)
