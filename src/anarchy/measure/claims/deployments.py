"""The sweep of a scenario's clients, with what its service times allow one batch to be."""

import math
from collections.abc import Sequence

from anarchy.config.scenario import Scenario
from anarchy.config.workload import ClosedLoop
from anarchy.measure.claims.closed_loop import Load, Sweep
from anarchy.serving.service_times.lookup import Latency


def sweep_of(name: str, scenario: Scenario, times: Latency, loads: Sequence[Load]) -> Sweep:
    """The loads of a closed loop of equal requests, with the longest decode time of any routing.

    Raises ValueError for another workload.
    """
    workload = scenario.workload
    if not isinstance(workload, ClosedLoop):
        raise ValueError(f"{name} is no closed loop")
    context = workload.input_tokens + workload.output_tokens

    def longest(clients: int) -> float:
        """Every step with all clients in one batch; without a bound where some wait for a slot."""
        if clients > scenario.engine.decode.slots:
            return math.inf
        step = max(times.itl(batch, context) for batch in range(1, clients + 1))
        return (workload.output_tokens + 1) * step

    return Sweep(name, loads, longest, workload.think_time)
