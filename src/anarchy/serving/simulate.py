"""One call simulates a scenario and returns its run.

Two simulators return the same log: the reference, which has every mechanism and is written to be
read (`reference.system`), and the compiled one, which is fast and is taken for what it covers.
"""

from typing import Any, Literal, Protocol, TypedDict, Unpack, get_args

from anarchy.common.errors import InputError, suggest
from anarchy.config.scenario import Scenario, get_field
from anarchy.serving.compiled.core.coverage import MOST_PLACES, lacking, shared_places
from anarchy.serving.log.request_log import Ints, Run
from anarchy.serving.log.sinks import Sink
from anarchy.serving.reference.system import System
from anarchy.serving.rules.plan import NO_PLAN, check_plan
from anarchy.serving.service_times.lookup import Latency
from anarchy.workload.traces import TraceData

Simulator = Literal["auto", "compiled", "reference"]
"""Which simulator runs: one of the two, or the compiled one where it can."""


class Runnable(Protocol):
    """A run that has not begun; `progress` may be read from another thread."""

    @property
    def progress(self) -> tuple[int, int]:
        """Requests done, and how many have to be."""

    def run(self) -> Run:
        """Simulate."""

    def stream(self, sink: Sink) -> dict[str, Any]:
        """Simulate and give the rows to `sink`; the other fields of the run."""


class Options(TypedDict, total=False):
    """What a run has beside its scenario, service times and seed."""

    replication: int  # default 0
    requests: int  # default 4000
    warmup_cycles: float  # default 3
    trace: TraceData | None
    simulator: Simulator  # default auto
    plan: Ints  # default none


def simulate(scenario: Scenario, latency: Latency, *, seed: int, **options: Unpack[Options]) -> Run:
    """Simulate one run.

    `requests` completions are measured after a warm-up of `warmup_cycles` completions per client
    (closed loop) or a tenth of `requests` (Poisson); a trace is measured whole. Equal arguments
    give equal runs, whichever simulator; runs that differ in the router only see the same
    requests.

    `plan` says where requests go, whatever the policy (see `rules.plan`).
    """
    return prepare(scenario, latency, seed=seed, **options).run()


def prepare(
    scenario: Scenario,
    latency: Latency,
    *,
    seed: int,
    replication: int = 0,
    requests: int = 4000,
    warmup_cycles: float = 3.0,
    trace: TraceData | None = None,
    simulator: Simulator = "auto",
    plan: Ints = NO_PLAN,
    costs: bool = True,
) -> Runnable:
    """What `simulate` runs, before it runs.

    Without `costs` nobody wants to know what the routers saw, and the compiled one does not log it.
    """
    check_plan(plan, scenario)
    arguments = (scenario, latency, seed, replication, requests, warmup_cycles, trace)
    if takes_compiled(scenario, simulator, trace):
        # Only now, because numba takes a while to import.
        from anarchy.serving.compiled.run import CompiledSystem

        return CompiledSystem(*arguments, costs, plan)
    return System(*arguments, plan)


def takes_compiled(
    scenario: Scenario, simulator: Simulator, trace: TraceData | None = None
) -> bool:
    """Whether the compiled simulator runs a scenario; one that it must and cannot is refused."""
    if simulator not in get_args(Simulator):
        raise InputError(
            f"unknown simulator '{simulator}'; {suggest(simulator, get_args(Simulator))}"
        )
    mechanism = lacking_mechanism(scenario, trace)
    if simulator == "compiled" and mechanism is not None:
        raise InputError(f"the compiled simulator lacks {mechanism}; the reference has it")
    return simulator != "reference" and mechanism is None


def lacking_mechanism(scenario: Scenario, trace: TraceData | None = None) -> str | None:
    """What of a scenario the compiled simulator lacks: the field, and its value if it is a name."""
    field = lacking(scenario)
    if field is not None:
        value = get_field(scenario, field)
        return f"{field} '{value}'" if isinstance(value, str) else field
    if shared_places(scenario, trace) > MOST_PLACES:
        return "the memory for so many cached blocks on so many workers"
    return None
