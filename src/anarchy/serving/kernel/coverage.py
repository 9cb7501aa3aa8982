"""Which scenarios the kernel has every mechanism for."""

from collections.abc import Callable

from anarchy.config import Custom, Scenario
from anarchy.serving.kernel.names import COMPILED_POLICIES

# Each mechanism that the kernel lacks: the field that asks for it, and whether a scenario does.
_LACKING: tuple[tuple[str, Callable[[Scenario], bool]], ...] = (
    ("planner.rule", lambda s: s.planner.rule != "none"),
    ("outages", lambda s: bool(s.outages)),
    ("workload.kind", lambda s: isinstance(s.workload, Custom)),
    ("router.policy", lambda s: s.router.policy not in COMPILED_POLICIES),
    ("engine.memory.paged", lambda s: s.engine.memory.paged),
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
