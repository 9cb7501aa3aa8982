"""Whether a run can begin and end; where it cannot, the one line that says why."""

from functools import cache

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.config.workload import Custom, Prompts, Synthetic, SyntheticTrace, Trace
from anarchy.workload.demand import Demand, make_demand
from anarchy.workload.random_streams import Generators, streams
from anarchy.workload.traces import TraceData

MOST_REQUESTS = 1_000_000
"""Requests that may be in a system at once while others arrive without end: a backlog that no
study waits for, and about a gigabyte."""

MOST_PREEMPTIONS = 10_000
"""Preemptions on a worker since a request was last done there, at which a run ends: where memory is
short for any two, requests may preempt each other for ever."""

MOST_BLOCKS = 5_000_000
"""Most blocks of all templates of a workload, which are kept in memory."""


def check_backlog(arrived: int, done: int, wanted: int) -> None:
    """Refuse to go on when more requests of an endless workload wait than can ever be served."""
    if arrived - done > MOST_REQUESTS:
        raise InputError(
            f"workload: more than {MOST_REQUESTS:,} requests wait or run after {done:,} of "
            f"{wanted:,} are done: more arrive than the workers in service can serve"
        )


def blocks_of_memory(scenario: Scenario, demand: Demand) -> int:
    """The blocks of each paged worker; they must hold the largest request, or it waits for ever."""
    size, source = scenario.engine.cache.block_tokens, demand.block_tokens
    if source % size:
        raise InputError(
            f"engine.cache.block_tokens: {size} does not divide the {source} tokens of a block "
            "of the trace"
        )
    blocks = scenario.engine.cache.capacity_tokens // size
    prompt, output = demand.largest
    needed = -(-(prompt + output) // size)
    if needed > blocks:
        raise InputError(
            f"engine.cache.capacity_tokens: a request of {prompt} prompt and {output} output "
            f"tokens needs {needed} blocks of {size}, a worker has {blocks}"
        )
    return blocks


def check_requests(scenario: Scenario, trace: TraceData | None = None) -> None:
    """Refuse what a run would refuse of its requests: laws that are none, prompts without room.

    A recorded workload is checked if its `trace` is given, a plugin's not at all.
    """
    workload = scenario.workload
    recorded = isinstance(workload, Trace | SyntheticTrace)
    if isinstance(workload, Custom) or (recorded and trace is None):
        return
    if isinstance(workload, Synthetic):
        _check_templates(workload, scenario.engine.cache.block_tokens)
    demand = make_demand(scenario, _any_streams(), 1, 0.0, trace, lambda *_: 1.0)
    if demand.endless:
        next(demand.arrivals)
    if scenario.engine.memory.paged:
        blocks_of_memory(scenario, demand)
        return
    if isinstance(workload, Synthetic):  # the longest that a law can draw need not be cached
        prompt = max(part.input_tokens for part in [workload, *workload.tenants])
    else:
        assert trace is not None
        prompt = int(trace.input_tokens[: workload.rows].max())
    capacity = scenario.engine.cache.capacity_tokens
    if prompt > capacity:
        raise InputError(
            f"engine.cache.capacity_tokens: {capacity}, but a prompt has {prompt} tokens"
        )


@cache
def _any_streams() -> Generators:
    """What is drawn from them says nothing here, so that one set serves all workloads."""
    return streams(0, 0, ("starts", "arrivals"))


def _check_templates(workload: Synthetic, block_tokens: int) -> None:
    parts: list[Prompts] = [*workload.tenants] or [workload]
    blocks = sum(part.templates * (part.input_tokens // block_tokens) for part in parts)
    if blocks > MOST_BLOCKS:
        raise InputError(
            f"workload.templates: they have {blocks:,} blocks of engine.cache.block_tokens "
            f"together; allowed: {MOST_BLOCKS:,}"
        )


def ends_early(done: int, wanted: int) -> InputError:
    """Why a run stops although nobody waits for memory: only a plugin's workload does that."""
    return InputError(f"workload: it has no more requests after {done} of {wanted} are done")


def check_done(done: int, until: float) -> None:
    """Refuse a run that has nothing to measure when its last phase ends, at `until` seconds."""
    if not done:
        raise InputError(
            f"workload.phases: no request is done when the last one ends, at {until:g} s"
        )


def all_wait(done: int, wanted: int) -> InputError:
    """Why a run with paged memory stops before enough requests are done."""
    return InputError(
        f"engine.cache.capacity_tokens: after {done} of {wanted} requests all others wait "
        "for memory that waiting requests hold; give the workers more, or set "
        "engine.memory.preempt to never"
    )


def check_preemptions(count: int) -> None:
    """Refuse to go on after so many preemptions on a worker since a request was last done there."""
    if count >= MOST_PREEMPTIONS:
        raise thrashing()


def thrashing() -> InputError:
    """Why a run with paged memory stops in which requests are preempted and none is done."""
    return InputError(
        f"engine.cache.capacity_tokens: requests on a worker have preempted each other "
        f"{MOST_PREEMPTIONS:,} times and none is done; give the workers more, or set "
        "engine.memory.preempt to never"
    )
