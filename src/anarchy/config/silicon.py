"""`config/silicon.yaml`: the models of some scenarios on GPUs with service times of their own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from anarchy.common.errors import InputError, suggest
from anarchy.config.base import (
    Clients,
    Count,
    Distinct,
    Model,
    Name,
    Prose,
    Replications,
    Seconds,
    Title,
)
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.workload import ClosedLoop


class Times(Model):
    """Whose service times on which GPU, and how long an all-reduce takes that they lack."""

    gpu: Title
    times: Name = Field(description="the last part of the tables' names")
    all_reduce: Annotated[list[Seconds], Field(min_length=1), Distinct] = [0.0]


class Silicon(Model):
    """Scenarios of one topology, and the service times that each of them is run with."""

    title: Title
    question: Prose
    scenarios: dict[Name, Name] = Field(
        min_length=2,
        max_length=2,
        description="two scenarios of closed loops, and how the names of their tables begin",
    )
    tables: list[Times] = Field(min_length=1)
    batch_requests: Annotated[list[Count], Field(min_length=1), Distinct]
    caching: Annotated[list[bool], Field(min_length=1), Distinct]
    grid: Annotated[list[Clients], Field(min_length=2)] = Field(
        description="published loads, the knee seen at the last of them"
    )
    busy: Annotated[float, Field(gt=0, lt=1)] = 0.995
    searches: Replications = 3
    requests: Count
    largest: Clients = Field(512, description="concurrency at which a search gives up")

    @model_validator(mode="after")
    def _grid_rises(self) -> Self:
        if sorted(set(self.grid)) != self.grid:
            raise ValueError("grid: must increase strictly")
        return self


@dataclass(frozen=True)
class Deployment:
    """One scenario with one table; `keys` tell it apart in results."""

    keys: Mapping[str, Any]
    scenario: Scenario


def deployments(
    silicon: Silicon, scenarios: Mapping[str, Scenario], source: str
) -> Iterator[Deployment]:
    """Every scenario with every table and setting; raises InputError naming `source`."""
    for name, start in silicon.scenarios.items():
        if name not in scenarios:
            raise InputError(f"{source}: unknown scenario '{name}'; {suggest(name, scenarios)}")
        one = scenarios[name].topology.prefill == 1
        if not isinstance(scenarios[name].workload, ClosedLoop) or not one:
            raise InputError(
                f"{source}: scenarios: '{name}' is no closed loop with one prefill worker, so it "
                "has no knee"
            )
        for table in silicon.tables:
            for all_reduce, batch, caching in product(
                table.all_reduce, silicon.batch_requests, silicon.caching
            ):
                fields: dict[str, Any] = {
                    "hardware.gpu": table.gpu,
                    "model.latency": f"{start}-{table.gpu.lower()}-{table.times}",
                    "model.all_reduce": all_reduce,
                    "engine.prefill.batch_requests": batch,
                    "engine.cache.enabled": caching,
                }
                keys = {
                    "scenario": name,
                    "gpu": table.gpu,
                    "times": table.times,
                    "all_reduce": all_reduce,
                    "batch": batch,
                    "caching": caching,
                }
                yield Deployment(keys, with_fields(scenarios[name], fields, source))
