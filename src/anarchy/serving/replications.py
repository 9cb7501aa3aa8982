"""Many runs of one scenario: a table of its parameters, some replications of every row.

Runs are independent, so they are shared out over processes. These are forked: they have the
plugins, the trace and the compiled simulator that the caller has. A result is what `reduce` makes
of a run where it was simulated, so that logs do not travel. Results come in the order of the
table, whatever the number of cores, and runs are begun only a little ahead of the one that is
asked for.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple, TypeVar

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario, with_fields
from anarchy.serving.log.request_log import Run
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import Simulator, prepare
from anarchy.workload.traces import TraceData

T = TypeVar("T")

LARGEST_JOB = 16
"""Most runs that a process is given at a time."""

JOBS_PER_CORE = 16
"""Runs are cut into at least so many jobs for each core, so that all end at about one time."""

AHEAD = 4
"""Jobs for each core that are begun before the first of them is asked for."""


def whole(run: Run) -> Run:
    """The reduction that keeps everything."""
    return run


@dataclass(frozen=True)
class _Runs:
    """What all runs are made from."""

    scenario: Scenario
    latency: Latency
    table: Sequence[Mapping[str, Any]]
    seed: int
    replications: int
    reduce: Callable[[Run], Any]
    trace: TraceData | Callable[[int], TraceData] | None
    options: dict[str, Any]

    def __len__(self) -> int:
        return len(self.table) * self.replications

    def results(self, numbers: range) -> Iterator[Any]:
        """The results of some consecutive runs."""
        last, scenario = -1, self.scenario
        for number in numbers:
            row, replication = divmod(number, self.replications)
            if row != last:  # most of a short run's preparation would be this
                source = f"row {row} of the table"
                scenario, last = with_fields(self.scenario, self.table[row], source), row
            trace = self.trace(replication) if callable(self.trace) else self.trace
            system = prepare(
                scenario,
                self.latency,
                seed=self.seed,
                replication=replication,
                trace=trace,
                **self.options,
            )
            yield self.reduce(system.run())


def simulate_many(
    scenario: Scenario,
    latency: Latency,
    table: Sequence[Mapping[str, Any]],
    *,
    seed: int,
    replications: int,
    cores: int | None = None,
    reduce: Callable[[Run], T] = whole,  # type: ignore[assignment]
    trace: TraceData | Callable[[int], TraceData] | None = None,
    requests: int = 4000,
    warmup_cycles: float = 3.0,
    simulator: Simulator = "auto",
    costs: bool = True,
) -> Iterator[T]:
    """`reduce(run)` of replications 0, 1, ... of the first row of `table`, of the second, ...

    A row maps fields of the scenario to values, as in {"workload.clients": 8}. A run is that of
    `simulate.simulate` with the same arguments; `trace` may be given for each replication. `cores`
    processes share the runs, all of the machine's if None; 1 starts none. With more, results have
    to be picklable. A fault is one InputError, when it is that run's turn; other errors of a
    process become one too, those without processes are left as they are.
    """
    for row in table:
        if "model.latency" in row:
            raise InputError("model.latency: all rows have the same service times")
    options: dict[str, Any] = {"requests": requests, "warmup_cycles": warmup_cycles}
    options |= {"simulator": simulator, "costs": costs}
    runs = _Runs(scenario, latency, table, seed, replications, reduce, trace, options)
    cores = min(cores or _cores(), len(runs))
    return _shared_out(runs, cores) if cores > 1 else runs.results(range(len(runs)))


def _cores() -> int:
    """The cores that this process may use, where the system tells."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class _Answer(NamedTuple):
    """What a process makes of a job: results, and the fault that ended them early."""

    results: list[Any]
    fault: str | None


def _shared_out(runs: _Runs, cores: int) -> Iterator[Any]:
    """The results of all runs, computed by so many processes."""
    size = max(1, min(LARGEST_JOB, len(runs) // (JOBS_PER_CORE * cores)))
    jobs = [range(n, min(n + size, len(runs))) for n in range(0, len(runs), size)]
    workers = _start(runs, cores)
    try:
        working: dict[Connection, int] = {}  # the job of each process that has one
        idle = list(workers)
        answers: dict[int, _Answer] = {}
        begun = 0
        for number in range(len(jobs)):
            while number not in answers:
                while idle and begun < min(len(jobs), number + AHEAD * cores):
                    line = idle.pop()
                    line.send(jobs[begun])
                    working[line], begun = begun, begun + 1
                for ready in wait(list(working)):
                    assert isinstance(ready, Connection)
                    answers[working.pop(ready)] = _received(ready, workers[ready])
                    idle.append(ready)
            answer = answers.pop(number)
            yield from answer.results
            if answer.fault is not None:
                raise InputError(answer.fault)
    finally:
        for line, process in workers.items():
            process.terminate()
            process.join()
            line.close()


def _start(runs: _Runs, cores: int) -> dict[Connection, BaseProcess]:
    """Processes that answer jobs, by the line to them."""
    context = get_context("fork")
    workers: dict[Connection, BaseProcess] = {}
    for _ in range(cores):
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(runs, theirs, [*workers, ours]), daemon=True)
        process.start()
        theirs.close()
        workers[ours] = process
    return workers


def _work(runs: _Runs, line: Connection, others: list[Connection]) -> None:
    """Answer jobs until the caller is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller hears Ctrl-C and ends its processes
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:  # or this process would keep lines open that the caller has closed
        other.close()
    try:
        while True:
            line.send(_answer(runs, line.recv()))
    except (EOFError, OSError):
        return


def _answer(runs: _Runs, job: range) -> _Answer:
    results: list[Any] = []
    try:
        results.extend(runs.results(job))
    except InputError as fault:
        return _Answer(results, str(fault))
    except Exception as error:
        row, replication = divmod(job[len(results)], runs.replications)
        run = f"row {row} of the table, replication {replication}"
        return _Answer(results, f"{run}: {type(error).__name__}: {' '.join(str(error).split())}")
    return _Answer(results, None)


def _received(line: Connection, process: BaseProcess) -> _Answer:
    try:
        answer: _Answer = line.recv()
    except (EOFError, OSError):
        process.join()
        code = process.exitcode
        raise InputError(f"a process that simulates has ended with code {code}") from None
    return answer
