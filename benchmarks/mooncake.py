"""The conversation trace on 8P/8D: NVIDIA Dynamo's trace replay beside the simulator, in turns.

Both have the same timing model and the same rules (`config/scenarios/oracle-8p8d.yaml`). By round
robin they must give every request the same fate. By the KV router, whose ties both draw at random,
mean TTFT and the reused share of prompts must be equal within the noise of the runs: a permutation
test may not tell them apart. Where they are not equal, the speeds compare two different things, and
the comparison is void.

Two pairs of speeds. `requests_per_second` leaves reading the trace out on both sides: theirs is by
the clock that the replay itself reports, ours the whole call of `simulate` with its log, by the
clock on the wall. `file_to_rows` includes it on both sides, from the file to a result for every
request, by processor time. Imports and compilation are in neither.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from anarchy.common.errors import InputError
from anarchy.common.files import Row
from anarchy.config.scenario import with_fields
from anarchy.measure.validation.dynamo.per_request import classify, pair_outcomes
from anarchy.measure.validation.dynamo.permutation_test import compare_runs
from anarchy.measure.validation.dynamo.replay import MS, load_dynamo, recorded_requests, replay_file
from anarchy.serving.log.request_log import RequestLog
from anarchy.workload.traces import load_trace
from benchmarks.measuring import Effort, Say, Spent, in_turns, ratio, row, spend
from benchmarks.subjects import Subject, recorded, trace_file

SCENARIO = "oracle-8p8d"
POOLS = (8, 8)
DECODE_STEP = 0.008
LEVEL = 0.01
"""Runs are called different below this p-value; with five of either side that takes two sets of
runs of which one lies wholly above the other."""

COMPILING = 50
"""Requests of a run that is not timed, because it may have to compile."""

FEWEST = 5
"""Runs of either side without which nothing is judged."""

ROUTERS = {"kv": "", "round-robin": "round_robin."}
"""The routers compared, and the part of an id that names each."""


@dataclass(frozen=True)
class Side:
    """One run of one side; seconds without reading the trace, and of everything."""

    without_reading: float
    whole: Spent
    ttft: float
    reuse: float
    result: Any


@contextmanager
def trace_of(rows: int | None) -> Iterator[Path]:
    """The trace's file, or one with its first rows."""
    path = trace_file("mooncake-conversation")
    if rows is None:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / path.name
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        part.write_text("".join(lines[:rows]), encoding="utf-8")
        yield part


def their_run(path: Path, router: str) -> Any:
    """The replay's result."""
    return replay_file(path, topology=POOLS, temperature=0.0 if router == "kv" else None)


def _theirs(path: Path, router: str) -> Side:
    def from_file_to_rows() -> Any:
        result = their_run(path, router)
        return result, result.per_request

    (result, _), whole = spend(from_file_to_rows)
    summary = result.summary
    return Side(
        summary["wall_time_ms"] / MS,
        whole,
        summary["mean_ttft_ms"] / MS,
        summary["prefix_cache_reused_ratio"],
        result,
    )


def _ours(subject: Subject, path: Path, seeds: Iterator[int]) -> Side:
    trace, reading = spend(lambda: load_trace(path))
    subject.trace = trace
    run, spent = spend(lambda: subject.run(seed=next(seeds)))
    log = run.log
    return Side(
        spent.wall,
        Spent(reading.wall + spent.wall, reading.cpu + spent.cpu),
        float(log.ttft.mean()),
        float(log.cached_tokens.sum() / log.input_tokens.sum()),
        log,
    )


def measure(effort: Effort, say: Say) -> list[Row]:
    """Both routers on both sides, and the plain deployment alone; an InputError without a trace."""
    rows = _plain(effort, say)
    subjects = {router: recorded(SCENARIO, effort.trace_rows) for router in ROUTERS}
    for router, subject in subjects.items():
        subject.scenario = with_fields(subject.scenario, {"router.policy": router}, SCENARIO)
    try:
        load_dynamo()
    except InputError as fault:
        say(f"nothing is compared: {fault}")
        sides: tuple[str, ...] = ("ours",)
    else:
        sides = ("ours", "theirs")
    with trace_of(effort.trace_rows) as path:
        seeds = count(1)
        runs: dict[str, Callable[[], Side]] = {}
        for router, subject in subjects.items():
            recorded(SCENARIO, COMPILING).run()
            runs[f"{router} ours"] = partial(_ours, subject, path, seeds)
            if "theirs" in sides:
                runs[f"{router} theirs"] = partial(_theirs, path, router)
        found = in_turns(runs, effort.repeats, say)
    for router, part in ROUTERS.items():
        simulator = "kernel" if subjects[router].on_kernel else "SimPy"
        mine = found[f"{router} ours"]
        rows += _side(f"mooncake.{part}", f"{router}, this simulator ({simulator})", mine)
        if "theirs" in sides:
            theirs = found[f"{router} theirs"]
            rows += _side(f"mooncake.{part}dynamo_replay_", f"{router}, Dynamo's replay", theirs)
            rows += _compared(f"mooncake.{part}", router, mine, theirs)
            rows += _verdict(f"mooncake.{part}", router, mine, theirs, effort)
    return rows


def _side(head: str, what: str, runs: list[Side]) -> list[Row]:
    counts = [_count(run.result) for run in runs]
    speeds = [n / run.without_reading for n, run in zip(counts, runs, strict=True)]
    whole = [n / run.whole.cpu for n, run in zip(counts, runs, strict=True)]
    return [
        row(f"{head}requests_per_second", speeds, "1/s", "wall", what),
        row(f"{head}file_to_rows_per_second", whole, "1/s", "cpu", f"{what}, reading included"),
        row(f"{head}prefix_reuse", [run.reuse for run in runs], "1", "none", f"{what}: reuse"),
        row(f"{head}mean_ttft_ms", [run.ttft * MS for run in runs], "ms", "none", f"{what}: TTFT"),
    ]


def _count(result: Any) -> int:
    if isinstance(result, RequestLog):
        return len(result)
    return int(result.summary["completed_requests"])


def _compared(head: str, router: str, mine: list[Side], theirs: list[Side]) -> list[Row]:
    """How many times as fast ours is."""
    return [
        ratio(
            f"{head}ratio_to_dynamo_replay",
            [run.without_reading for run in theirs],
            [run.without_reading for run in mine],
            "wall",
            f"{router}: this simulator over the replay",
        ),
        ratio(
            f"{head}file_to_rows_ratio",
            [run.whole.cpu for run in theirs],
            [run.whole.cpu for run in mine],
            "cpu",
            f"{router}: the same, reading included",
        ),
    ]


def _verdict(
    head: str, router: str, mine: list[Side], theirs: list[Side], effort: Effort
) -> list[Row]:
    """1 if the two do the same, 0 if the comparison of their speeds is void."""
    if router == "round-robin":
        requests = recorded_requests()[: effort.trace_rows]
        pairs = pair_outcomes(requests, theirs[-1].result, mine[-1].result)
        equal = [float(classify(*pair, DECODE_STEP) == "equal") for pair in pairs]
        share = float(np.mean(equal))
        text = f"{len(equal)} requests one by one"
        rows = [row(f"{head}equal_rows", [share], "1", "none", f"share of {text} that are equal")]
        return [*rows, _judged(head, router, share == 1.0)]
    if len(mine) < FEWEST:
        return []
    rows, same = [], True
    for field, name in (("ttft", "mean TTFT"), ("reuse", "reuse")):
        one, other = ([[getattr(run, field) for run in runs]] for runs in (theirs, mine))
        p_value = compare_runs(one, other).p_value
        same = same and p_value >= LEVEL
        what = f"{router}: p-value of equal {name}"
        rows.append(row(f"{head}{field}_p_value", [p_value], "1", "none", what))
    return [*rows, _judged(head, router, same)]


def _judged(head: str, router: str, same: bool) -> Row:
    text = "equal results, the comparison holds" if same else "COMPARISON VOID: unequal results"
    return row(f"{head}comparison_holds", [float(same)], "1", "none", f"{router}: {text}")


def _plain(effort: Effort, say: Say) -> list[Row]:
    """The deployment of the paper, which has no paged memory; it is not compared."""
    subject = recorded("mooncake-8p8d", effort.trace_rows)
    subject.run()  # compiles
    found = in_turns({"plain": lambda: spend(subject.run)}, effort.repeats, say)["plain"]
    what = "mooncake-8p8d, without paged memory: not compared"
    return [
        row(
            "mooncake.plain.requests_per_second",
            [len(run.log) / spent.cpu for run, spent in found],
            "1/s",
            "cpu",
            what,
        )
    ]
