"""What a planner is told: counts and means of an interval, and the load at regular looks."""

from collections.abc import Callable
from dataclasses import dataclass, field

from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.elastic.planner import Means, Observed


@dataclass(frozen=True)
class Look:
    """The load at one moment, as in `Observed`."""

    kv_load: float
    batch: float
    queue: float


@dataclass
class Watch:
    """The running totals of an interval."""

    look: Callable[[], Look]
    _since: float = 0.0
    _arrived: int = 0
    _done: list[Request] = field(default_factory=list)
    _looks: list[Look] = field(default_factory=list)

    def arrived(self) -> None:
        """A request has arrived."""
        self._arrived += 1

    def done(self, request: Request) -> None:
        """A request is done."""
        self._done.append(request)

    def sample(self) -> None:
        """Look at the load."""
        self._looks.append(self.look())

    def read(self, now: float) -> Observed:
        """What was observed since the last reading; the next interval begins."""
        if not self._looks:
            self.sample()
        looks, done = self._looks, self._done
        observed = Observed(
            seconds=now - self._since,
            arrived=self._arrived,
            done=self._means() if done else None,
            kv_load=sum(look.kv_load for look in looks) / len(looks),
            batch=sum(look.batch for look in looks) / len(looks),
            queue=sum(look.queue for look in looks) / len(looks),
        )
        self._since, self._arrived, self._done, self._looks = now, 0, [], []
        return observed

    def _means(self) -> Means:
        done, count = self._done, len(self._done)
        return Means(
            input_tokens=sum(r.input_tokens for r in done) / count,
            output_tokens=sum(r.output_tokens for r in done) / count,
            ttft=sum(r.first_token - r.arrival for r in done) / count,
            itl=sum((r.done - r.decode_start) / r.output_tokens for r in done) / count,
        )
