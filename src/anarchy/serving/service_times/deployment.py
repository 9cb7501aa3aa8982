"""Whether a table has the service times of a scenario's workers."""

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.serving.service_times.table import LatencyTable, with_all_reduce


def check_deployment(scenario: Scenario, table: LatencyTable) -> None:
    """Refuse times of other GPUs, or of another number of them; raises InputError."""
    name, hardware = scenario.model.latency, scenario.hardware
    if table.tensor_parallel != hardware.gpus_per_worker:
        raise InputError(
            f"hardware.gpus_per_worker is {hardware.gpus_per_worker}, but the times of "
            f"model.latency '{name}' are for {table.tensor_parallel} GPUs per worker"
        )
    if not table.system.lower().startswith(hardware.gpu.lower()):
        raise InputError(
            f"hardware.gpu is {hardware.gpu}, but the times of model.latency '{name}' are for "
            f"{table.system}"
        )
    with_all_reduce(table, scenario.model.all_reduce)
