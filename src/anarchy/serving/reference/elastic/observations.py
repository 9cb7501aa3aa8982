"""What a planner is told: counts and means of an interval, and samples of the load."""

from collections.abc import Callable
from dataclasses import dataclass, field

from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.elastic.planner import Means, Observed


@dataclass(frozen=True)
class LoadSample:
    """The load at one moment, as in `Observed`."""

    kv_load: float
    batch: float
    queue: float


@dataclass
class Observations:
    """The running totals of an interval."""

    sample_load: Callable[[], LoadSample]
    _since: float = 0.0
    _arrived: int = 0
    _done: list[Request] = field(default_factory=list)
    _samples: list[LoadSample] = field(default_factory=list)

    def arrived(self) -> None:
        """A request has arrived."""
        self._arrived += 1

    def done(self, request: Request) -> None:
        """A request is done."""
        self._done.append(request)

    def sample(self) -> None:
        """Look at the load."""
        self._samples.append(self.sample_load())

    def read(self, now: float) -> Observed:
        """What was observed since the last reading; the next interval begins."""
        if not self._samples:
            self.sample()
        samples, done = self._samples, self._done
        observed = Observed(
            seconds=now - self._since,
            arrived=self._arrived,
            done=self._means() if done else None,
            kv_load=sum(sample.kv_load for sample in samples) / len(samples),
            batch=sum(sample.batch for sample in samples) / len(samples),
            queue=sum(sample.queue for sample in samples) / len(samples),
        )
        self._since, self._arrived, self._done, self._samples = now, 0, [], []
        return observed

    def _means(self) -> Means:
        done, count = self._done, len(self._done)
        return Means(
            input_tokens=sum(r.input_tokens for r in done) / count,
            output_tokens=sum(r.output_tokens for r in done) / count,
            ttft=sum(r.first_token - r.arrival for r in done) / count,
            itl=sum((r.done - r.decode_start) / r.output_tokens for r in done) / count,
        )
