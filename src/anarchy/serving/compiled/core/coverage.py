"""Which scenarios the kernel has every mechanism for, and the memory."""

from collections.abc import Callable

from anarchy.config.scenario import Scenario
from anarchy.config.workload import Custom, Prompts, Synthetic
from anarchy.workload.traces import TraceData

COMPILED_POLICIES = (
    "round-robin",
    "random",
    "join-shortest-queue",
    "power-of-two",
    "least-kv",
    "kv",
    "kv-1.6",
    "lmetric",
    "load-aware",
    "threshold",
    "decaying-credit",
    "two-choice-hashing",
    "latency-aware",
    "toll",
)
"""The policies that are arithmetic on what a router knows; their positions are their numbers."""

MOST_PLACES = 2**26
"""Places of shared blocks on workers that the kernel lays out at most; each takes some 32 bytes.
The reference has entries for blocks that are cached only, so it needs less for a long trace on very
many workers."""

# Each mechanism that the kernel lacks: the field that asks for it, and whether a scenario does.
_LACKING: tuple[tuple[str, Callable[[Scenario], bool]], ...] = (
    ("planner.rule", lambda s: s.planner.rule != "none"),
    ("outages", lambda s: bool(s.outages)),
    ("workload.kind", lambda s: isinstance(s.workload, Custom)),
    ("router.policy", lambda s: s.router.policy not in COMPILED_POLICIES),
    ("engine.handoff.link", lambda s: s.engine.handoff.link != "none"),
    ("engine.local_prefill_below", lambda s: s.engine.local_prefill_below > 0),
    ("engine.cache.eviction", lambda s: s.engine.cache.eviction != "lru"),
    ("engine.cache.disk", lambda s: s.engine.cache.disk.capacity_tokens > 0),
    ("engine.cache.network", lambda s: s.engine.cache.network.capacity_tokens > 0),
)


def lacking(scenario: Scenario) -> str | None:
    """The field whose mechanism the kernel lacks, None if it lacks none.

    >>> lacking(published)
    >>> lacking(with_fields(published, {"router.policy": "clairvoyant"}, "x"))
    'router.policy'
    """
    return next((field for field, asked in _LACKING if asked(scenario)), None)


def shared_places(scenario: Scenario, trace: TraceData | None) -> int:
    """The workers that cache prompts times the blocks that their prompts may share, or more."""
    cache, topology = scenario.engine.cache, scenario.topology
    paged, workload = scenario.engine.memory.paged, scenario.workload
    workers = topology.prefill if cache.enabled else 0
    if cache.enabled and (paged or scenario.router.decode_overlap):
        workers += topology.decode
    blocks = 0
    if trace is not None:
        parts = (trace.block_tokens or 1) // cache.block_tokens if paged else 1
        blocks = max(1, parts) * sum(map(len, trace.blocks))
    elif isinstance(workload, Synthetic):
        asked: list[Prompts] = [*workload.tenants] or [workload]
        blocks = sum(p.templates * (p.input_tokens // cache.block_tokens) for p in asked)
    return workers * blocks
