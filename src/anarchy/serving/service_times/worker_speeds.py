"""Workers of unequal speed: the same table of service times, every entry divided by the speed."""

from anarchy.config.scenario import Scenario, Topology
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.table import LatencyTable, with_times


def scaled(table: LatencyTable, speed: float) -> LatencyTable:
    """The table of a worker that is `speed` times as fast."""
    return with_times(table, lambda step: step / speed, lambda cached: cached / speed)


class Services:
    """The look-up of each worker; workers of one speed share theirs, those of speed 1 `nominal`.

    A pool may have more workers than speeds: further ones have speed 1.
    """

    def __init__(self, topology: Topology, nominal: Latency) -> None:
        speeds = {*topology.prefill_speed, *topology.decode_speed} - {1.0}
        known = {speed: Latency(scaled(nominal.table, speed)) for speed in sorted(speeds)}
        known[1.0] = nominal
        self._known = known
        self.prefill = [known[s] for s in _padded(topology.prefill_speed, topology.prefill)]
        self.decode = [known[s] for s in _padded(topology.decode_speed, topology.decode)]

    @property
    def extrapolated(self) -> int:
        """Look-ups beyond the table so far, of all workers."""
        return sum(latency.extrapolated for latency in self._known.values())


def speeds_known(scenario: Scenario, pool: str, workers: int) -> list[float] | None:
    """The speeds of the `workers` of a pool as its router knows them, None if it does not."""
    if not scenario.router.knows_speeds:
        return None
    topology = scenario.topology
    given = topology.prefill_speed if pool == "prefill" else topology.decode_speed
    return _padded(given, workers)


def _padded(speeds: list[float], workers: int) -> list[float]:
    return [*speeds, *[1.0] * (workers - len(speeds))]
