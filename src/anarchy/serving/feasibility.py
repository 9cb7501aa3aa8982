"""Whether a run can begin and end; where it cannot, the one line that says why."""

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.workload.demand import Demand

MOST_REQUESTS = 1_000_000
"""Requests that may be in a system at once while others arrive without end: a backlog that no
study waits for, and about a gigabyte."""


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


def ends_early(done: int, wanted: int) -> InputError:
    """Why a run stops although nobody waits for memory: only a plugin's workload does that."""
    return InputError(f"workload: it has no more requests after {done} of {wanted} are done")


def all_wait(done: int, wanted: int) -> InputError:
    """Why a run with paged memory stops before enough requests are done."""
    return InputError(
        f"engine.cache.capacity_tokens: after {done} of {wanted} requests all others wait "
        "for memory that waiting requests hold; give the workers more, or set "
        "engine.memory.preempt to never"
    )
