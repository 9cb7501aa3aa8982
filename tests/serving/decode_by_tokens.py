"""A token-by-token decode worker: the slow truth that the fast-forwarding one must equal.

Every step is simulated on its own, in plain floats, with no event queue: at a boundary finished
requests leave, waiting ones join while there are slots, and a step of the whole batch follows.
"""

from dataclasses import dataclass, field

from anarchy.serving.service_times.lookup import Latency


@dataclass
class Job:
    """A request as the reference sees it; times in seconds, lengths in tokens."""

    submitted: float
    input_tokens: int
    output_tokens: int
    start: float = 0.0
    first_step: float = 0.0
    done: float = 0.0
    made: int = field(default=0)


def decode_by_tokens(jobs: list[Job], slots: int, latency: Latency) -> None:
    """Fill in start, first_step and done of jobs sorted by submission time."""
    coming = list(jobs)
    waiting: list[Job] = []
    batch: list[Job] = []
    now = 0.0
    while coming or waiting or batch:
        if not batch and not waiting:
            now = max(now, coming[0].submitted)
        while coming and coming[0].submitted <= now:
            waiting.append(coming.pop(0))
        while waiting and len(batch) < slots:
            job = waiting.pop(0)
            job.start = now
            batch.append(job)
        context = sum(job.input_tokens + job.made for job in batch) / len(batch)
        now += latency.itl(len(batch), context)
        for job in batch:
            job.made += 1
            if job.made == 1:
                job.first_step = now
            if job.made == job.output_tokens:
                job.done = now
        batch = [job for job in batch if job.made < job.output_tokens]
