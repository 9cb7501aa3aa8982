"""What was observed of a controlled run, as flat rows; times are divided by the dilation.

A run has one row of its own, one for each phase, over the stretch of it that counts, and one for
each poll of its controller.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anarchy.common.files import Row
from anarchy.config.live import ControlledRun
from anarchy.live.measuring.load import Answer
from anarchy.live.measuring.metrics import Histogram
from anarchy.live.measuring.router_log import Decision
from anarchy.live.measuring.rows import answer_means, p99
from anarchy.workload.cycles import cycle_throughput


@dataclass(frozen=True)
class Stage:
    """A phase, over the stretch of it that counts. Times are as they were, in seconds."""

    phase: str
    clients: int
    answers: Sequence[Answer]  # in order of completion
    decisions: Sequence[Decision]  # on decode workers
    ttft: Histogram  # as the frontend measured it


@dataclass(frozen=True)
class ControlledObservation:
    """A run. Times are as they were, in seconds."""

    began: float  # since the epoch
    stages: Sequence[Stage]
    polls: Sequence[Mapping[str, Any]]  # as `anarchy control --json` prints them
    alone: float  # TTFT that the frontend sees of a client that is alone
    free: float  # share of the machine's processors
    lateness: float  # of the engines, the 99th percentile


def run_rows(run: ControlledRun, seen: ControlledObservation) -> list[Row]:
    """All rows of a run."""
    head: Row = {
        "id": run.name,
        "group": "run",
        "dilation": run.dilation,
        "alone": seen.alone / run.dilation,
        "switches": sum(poll["switched"] for poll in seen.polls),
        "free": seen.free,
        "lateness": seen.lateness,
    }
    phases = [_phase_row(run, stage) for stage in seen.stages]
    polls = [_poll_row(run, number, poll, seen.began) for number, poll in enumerate(seen.polls)]
    return [head, *phases, *polls]


def _phase_row(run: ControlledRun, stage: Stage) -> Row:
    workers = Counter(decision.chosen for decision in stage.decisions)
    tied = sum(decision.costs.count(min(decision.costs)) > 1 for decision in stage.decisions)
    page = stage.ttft.quantile(0.99)
    done = [answer.done for answer in stage.answers]
    return {
        "id": f"{run.name}-{stage.phase}",
        "group": "phase",
        "run": run.name,
        "phase": stage.phase,
        "requests": len(stage.answers),
        "throughput": run.dilation * cycle_throughput(done, stage.clients),
        **answer_means(stage.answers, run.workload.output_tokens, run.dilation),
        "ttft_p99": p99([a.first - a.sent for a in stage.answers]) / run.dilation,
        "page_p99": None if page is None else page / run.dilation,
        "decisions": len(stage.decisions),
        "tied": tied / len(stage.decisions),
        "busiest": max(workers.values()) / len(stage.decisions),
    }


def _poll_row(run: ControlledRun, number: int, poll: Mapping[str, Any], began: float) -> Row:
    def undilated(seconds: float | None) -> float | None:
        return None if seconds is None else seconds / run.dilation

    return {
        "id": f"{run.name}-poll-{number}",
        "group": "poll",
        "run": run.name,
        "time": undilated(poll["time"] - began),
        "p99": undilated(poll["p99"]),
        "average": undilated(poll["average"]),
        "regime": poll["regime"],
        "switched": poll["switched"],
        "temperature": poll["router_temperature"],
        "overlap_weight": poll["overlap_score_weight"],
    }
