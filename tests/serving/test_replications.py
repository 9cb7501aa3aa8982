"""Many runs: the order of the table, whatever the cores; faults in one line; nothing left over."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.serving.log.request_log import Run
from anarchy.serving.reference.router.policy import plugins
from anarchy.serving.replications import simulate_many
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate
from anarchy.workload.traces import TraceData

PUBLISHED = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
LATENCY = load_latency(paths.ROOT / paths.LATENCY, PUBLISHED.model.latency)
TABLE = [
    {"workload.clients": clients, "router.policy": policy}
    for clients, policy in product((3, 8, 20), ("kv", "round-robin"))
]


def answer(run: Run) -> tuple[float, float, int]:
    return float(run.log.ttft.sum()), run.end, len(run.log)


def many(table: Any = TABLE, scenario: Scenario = PUBLISHED, **options: Any) -> Any:
    options = {"seed": 1, "replications": 3, "requests": 40, "reduce": answer} | options
    return simulate_many(scenario, LATENCY, table, **options)


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_results_are_those_of_single_runs_in_the_order_of_the_table(cores: int) -> None:
    expected = [
        answer(
            simulate(
                with_fields(PUBLISHED, row, "test"),
                LATENCY,
                seed=1,
                replication=replication,
                requests=40,
            )
        )
        for row in TABLE
        for replication in range(3)
    ]
    assert list(many(cores=cores)) == expected
    assert len(set(expected)) == len(expected), "every run is another one"


def test_every_replication_may_have_a_trace_of_its_own() -> None:
    def trace(replication: int) -> TraceData:
        rows = replication + 2
        size = np.full(rows, 512)
        return TraceData(np.arange(rows) * 1.0, size, size, [(row,) for row in range(rows)], 512)

    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "mooncake-8p8d")
    for cores in (1, 2):
        found = many([{}, {}], scenario, trace=trace, cores=cores)
        assert [count for _, _, count in found] == [2, 3, 4, 2, 3, 4]


def test_whole_runs_come_without_a_reduction() -> None:
    (run,) = simulate_many(
        PUBLISHED, LATENCY, [{}], seed=1, replications=1, requests=40, costs=False
    )
    assert run.measured.sum() == 40


def test_runs_are_begun_a_little_ahead_only() -> None:
    begun = multiprocessing.Value("i", 0)

    def count(_: Run) -> None:
        with begun.get_lock():
            begun.value += 1

    results = many([{}], replications=200, requests=1, reduce=count, cores=2)
    next(results)
    time.sleep(0.3)
    assert 1 <= begun.value < 100
    results.close()


PLUGIN = """
from anarchy.serving.reference.router.policy import Policy, register


@register("last")
class Last(Policy):
    def costs(self, view):
        return [-float(worker) for worker in range(len(view.active))]
"""


def test_processes_know_the_plugins_of_the_caller(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    with plugins([tmp_path / "mine.py"]):
        workers = many(
            [{"router.policy": "last"}] * 2, reduce=lambda r: set(r.log.decode_worker), cores=2
        )
        assert list(workers) == [{1}] * 6


@pytest.mark.parametrize("cores", [1, 2])
def test_a_fault_is_one_line_when_its_turn_comes(cores: int) -> None:
    results = many([{}, {"workload.clients": 0}], cores=cores)
    for _ in range(3):
        next(results)
    with pytest.raises(InputError, match=r"row 1 of the table: .*clients") as fault:
        next(results)
    assert "\n" not in str(fault.value)


def test_other_errors_of_a_process_are_one_line_too() -> None:
    def fail(run: Run) -> float:
        if run.log.decode_active.max() > 5:
            raise ZeroDivisionError("too\nmany")
        return 0.0

    table = [{"workload.clients": clients} for clients in (2, 64)]
    results = many(table, reduce=fail, cores=2)
    assert [next(results) for _ in range(3)] == [0.0] * 3
    with pytest.raises(InputError, match=r"^row 1 .*, replication 0: ZeroDivisionError: too many$"):
        next(results)


def test_a_process_that_is_killed_is_said_to_be() -> None:
    with pytest.raises(InputError, match="a process that simulates has ended with code -9"):
        list(many(reduce=lambda _: os.kill(os.getpid(), signal.SIGKILL), cores=2))


def test_service_times_are_given_once() -> None:
    with pytest.raises(InputError, match=r"model\.latency"):
        many([{"model.latency": "fixed-100ms-8ms"}])


def children() -> list[int]:
    return [child.pid or 0 for child in multiprocessing.active_children()]


def test_runs_that_are_given_up_leave_no_process() -> None:
    before = children()
    results = many(cores=2)
    next(results)
    assert len(children()) == len(before) + 2
    results.close()
    assert children() == before


ENDLESS = """
import os
from tests.serving.test_replications import LATENCY, PUBLISHED, simulate_many

pids = simulate_many(
    PUBLISHED, LATENCY, [{}], seed=1, replications=100_000, requests=100, cores=2,
    simulator="reference", reduce=lambda _: os.getpid(),
)
for pid in pids:
    print(pid, flush=True)
"""


@pytest.fixture
def endless() -> Iterator[subprocess.Popen[str]]:
    """A caller that prints the process of each run, and never comes to an end."""
    caller = subprocess.Popen(
        [sys.executable, "-c", ENDLESS],
        cwd=paths.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield caller
    finally:
        with suppress(ProcessLookupError):
            os.killpg(caller.pid, signal.SIGKILL)
        caller.communicate()


def test_an_interrupt_ends_the_processes(endless: subprocess.Popen[str]) -> None:
    assert endless.stdout is not None
    pids = {int(endless.stdout.readline()) for _ in range(20)}
    os.killpg(endless.pid, signal.SIGINT)  # as a terminal does
    _, messages = endless.communicate(timeout=60)
    assert messages.count("Traceback") == 1, "the caller's KeyboardInterrupt, and no more"
    assert messages.rstrip().endswith("KeyboardInterrupt")
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL])
def test_processes_do_not_outlive_their_caller(
    endless: subprocess.Popen[str], stop: signal.Signals
) -> None:
    """They hold its standard output open, so that its end is theirs."""
    assert endless.stdout is not None
    assert endless.stdout.readline()
    endless.send_signal(stop)
    endless.communicate(timeout=60)
