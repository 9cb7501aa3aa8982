"""What a run of a scenario would refuse, checked before any job starts."""

from pathlib import Path

from anarchy.common import paths
from anarchy.common.errors import InputError, faults_in
from anarchy.config.scenario import Scenario
from anarchy.config.settings import TraceSources
from anarchy.config.workload import Custom, SyntheticTrace, Trace
from anarchy.serving.reference.core.clients import WORKLOADS
from anarchy.serving.reference.router.policy import get_policy
from anarchy.serving.rules.feasibility import check_requests
from anarchy.serving.service_times.deployment import check_deployment
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.service_times.table_files import load_table
from anarchy.workload.synthetic_trace_parameters import load_trace_parameters
from anarchy.workload.trace_files import TraceUnavailable, check_trace, find_trace
from anarchy.workload.traces import TraceData, load_trace, read_trace

LARGEST_REQUEST = 1_000_000
"""Tokens of memory beyond which no trace is read to see whether its requests have room."""


class ScenarioChecks:
    """What a job would refuse of a scenario, looked up once for each table and trace."""

    def __init__(self, root: Path, traces: TraceSources) -> None:
        self._root = root
        self._traces = traces
        self._tables: dict[str, LatencyTable] = {}
        self._requests: dict[str, int | None] = {}  # of each trace; None: not at hand
        self._absent: set[str] = set()
        self._read: dict[str, TraceData] = {}

    def scenario(
        self,
        scenario: Scenario,
        source: str,
        with_policy: bool = True,
        trace: TraceData | None = None,
    ) -> str | None:
        """Refuse a scenario that cannot run; the name of a trace that cannot be had, if any.

        `trace` is the scenario's, if it is read already. The policies of scenario files are
        checked where they are used, because an experiment's plugins may register them.
        """
        if with_policy:
            get_policy(scenario.router.policy, f"{source}: router.policy")
        self._check_table(scenario, source)
        workload = scenario.workload
        if isinstance(workload, SyntheticTrace):
            load_trace_parameters(self._root / paths.SYNTHETIC_TRACES, workload.parameters)
        if isinstance(workload, Custom) and with_policy:
            WORKLOADS.find(workload.workload, f"{source}: workload.workload")
        if trace is None and with_policy and isinstance(workload, Trace) and _is_tight(scenario):
            trace = self._recorded(workload.trace, source)
        with faults_in(source):
            check_requests(scenario, trace)
        if not isinstance(workload, Trace):
            return None
        self._check_rows(workload, self._rows(workload.trace, source, trace), source)
        return workload.trace if workload.trace in self._absent else None

    def _check_table(self, scenario: Scenario, source: str) -> None:
        name = scenario.model.latency
        if name not in self._tables:
            with faults_in(f"{source}: model.latency"):
                self._tables[name] = load_table(self._root / paths.LATENCY, name)
        with faults_in(source):
            check_deployment(scenario, self._tables[name])

    def _rows(self, name: str, source: str, trace: TraceData | None) -> int | None:
        """The requests of a trace; None if it is not at hand."""
        if trace is not None:
            return len(trace)
        if name not in self._requests:
            self._requests[name] = None
            try:
                self._requests[name] = check_trace(name, self._traces, self._root)
            except TraceUnavailable:
                self._absent.add(name)
            except InputError as fault:
                raise InputError(f"{source}: workload.trace: {fault}") from None
        return self._requests[name]

    def _recorded(self, name: str, source: str) -> TraceData | None:
        """The trace itself, if it is at hand; reading it takes a while."""
        if name not in self._read:
            with faults_in(f"{source}: workload.trace"):
                path = find_trace(name, self._traces, self._root)
                known = self._traces.traces.get(name)
                if path.is_file():
                    self._read[name] = read_trace(path, known.format) if known else load_trace(path)
        return self._read.get(name)

    def _check_rows(self, workload: Trace, there: int | None, source: str) -> None:
        if workload.rows is not None and there is not None and workload.rows > there:
            raise InputError(
                f"{source}: workload.rows: {workload.rows} rows asked for, the trace has {there}"
            )


def _is_tight(scenario: Scenario) -> bool:
    """Whether the requests of a trace may be too large for a worker's memory."""
    return scenario.engine.memory.paged or scenario.engine.cache.capacity_tokens < LARGEST_REQUEST
