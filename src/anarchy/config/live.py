"""`config/live.yaml`: what is measured of the real Dynamo, and compared with the simulator.

A series is a scenario under some numbers of clients; one of them is a point. A controlled run is a
scenario in phases of load with a controller, which acts or only looks. Everybody who measures,
simulates or judges one of them takes it from here.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from anarchy.common.errors import InputError
from anarchy.config.base import (
    Clients,
    Count,
    Distinct,
    Duration,
    Factor,
    FieldPath,
    Model,
    Name,
    Scalar,
    Seconds,
    Seed,
)
from anarchy.config.router import Controller
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.validation import validate
from anarchy.config.workload import ClosedLoop
from anarchy.config.yaml_files import read_yaml

Cycles = dict[Clients, Count]


class LiveSeries(Model):
    """A scenario on one deployment, under some numbers of clients one after the other."""

    scenario: Name
    set: dict[FieldPath, Scalar | None] = Field(default={}, description="fields to change")
    dilation: Factor = Field(description="how many times slower than the scenario everything runs")
    clients: Annotated[list[Clients], Distinct] = Field(min_length=1)


class LivePhase(Model):
    """A stretch with a constant number of clients."""

    name: Name
    clients: Clients
    seconds: Duration


class LiveControl(Model):
    """Runs in phases with a controller. All seconds are those of the wall clock."""

    scenarios: Annotated[list[Name], Distinct] = Field(min_length=1)
    set: dict[FieldPath, Scalar | None] = Field(default={}, description="fields to change")
    dilation: Factor = Field(description="how many times slower than the scenario everything runs")
    settle: Seconds = Field(description="seconds at the start of each phase that do not count")
    phases: list[LivePhase] = Field(min_length=1)
    controller: Controller

    @model_validator(mode="after")
    def _phases_outlast_their_start(self) -> Self:
        for phase in self.phases:
            if phase.seconds <= self.settle:
                raise ValueError(f"phases: '{phase.name}' must be longer than settle")
        return self


class QuickCampaign(Model):
    """The part that is measured in a hurry."""

    series: Annotated[list[Name], Distinct] = Field(min_length=1)
    cycles: Cycles = Field(min_length=1, description="as above; only these numbers of clients")


class LiveCampaign(Model):
    """What is measured, and when a measurement counts."""

    seed: Seed
    warmup_cycles: Annotated[float, Field(ge=1, le=1000)] = Field(
        description="completions per client dropped before measuring"
    )
    cycles: Cycles = Field(
        description="completions per client that are measured, by the number of clients"
    )
    free: Annotated[float, Field(ge=0, le=1)] = Field(
        description="least share of the processors' time that is idle, or goes to work of lower "
        "priority, while a point counts"
    )
    lateness: Duration = Field(
        description="most seconds that an engine wakes up late, but for one time in a hundred"
    )
    series: dict[Name, LiveSeries]
    control: LiveControl
    quick: QuickCampaign

    @model_validator(mode="after")
    def _quick_is_a_part(self) -> Self:
        for name in self.quick.series:
            if name not in self.series:
                raise ValueError(
                    f"quick.series: '{name}' is none; allowed: {', '.join(self.series)}"
                )
        return self

    @model_validator(mode="after")
    def _all_points_have_cycles(self) -> Self:
        for name, series in self.series.items():
            for clients in series.clients:
                if clients not in self.cycles:
                    raise ValueError(f"series.{name}.clients: 'cycles' has none for {clients}")
        return self

    @model_validator(mode="after")
    def _one_client_is_alone(self) -> Self:
        if [c for series in self.series.values() for c in series.clients].count(1) != 1:
            raise ValueError(
                "series: one of them, and no other, is to have a point with 1 client, which tells "
                "the host's own time per request"
            )
        return self

    def in_a_hurry(self) -> "LiveCampaign":
        """The quick part as a campaign."""
        cycles = self.quick.cycles
        series = {
            name: self.series[name].model_copy(update={"clients": list(cycles)})
            for name in self.quick.series
        }
        control = self.control.model_copy(update={"scenarios": self.control.scenarios[:1]})
        return self.model_copy(update={"cycles": cycles, "series": series, "control": control})


class LivePoint(Model):
    """One number of clients of a series.

    `warmup_cycles` completions per client are dropped, and then `requests` completions measured.
    """

    name: str
    series: str
    scenario: Scenario
    dilation: float
    warmup_cycles: float
    requests: int

    @property
    def workload(self) -> ClosedLoop:
        """The clients and what they ask."""
        workload = self.scenario.workload
        assert isinstance(workload, ClosedLoop)
        return workload


class Stretch(Model):
    """The part of a phase that counts, in the scenario's own seconds from the start of the run."""

    phase: str
    clients: int
    start: float
    end: float


class ControlledRun(Model):
    """A scenario in phases with its controller, which only looks in a dry run.

    All seconds are the scenario's own: on the wall clock they take `dilation` times as long.
    """

    name: str
    scenario: Scenario
    dilation: float
    stretches: list[Stretch]

    @property
    def workload(self) -> ClosedLoop:
        """The clients and what they ask."""
        workload = self.scenario.workload
        assert isinstance(workload, ClosedLoop)
        return workload

    @property
    def controller(self) -> Controller:
        """The controller, which every such run has."""
        assert self.scenario.controller is not None
        return self.scenario.controller


def load_campaign(path: Path) -> LiveCampaign:
    """Read the campaign; raises InputError for what is wrong with it."""
    return validate(LiveCampaign, read_yaml(path), str(path))


def live_points(
    campaign: LiveCampaign, load: Callable[[str], Scenario], source: str
) -> list[LivePoint]:
    """All points, series by series; `load` finds a scenario by its name.

    Raises InputError for what is no field or no closed loop, with the file `source` in front.
    """
    found = []
    for name, series in campaign.series.items():
        place = f"{source}: series.{name}"
        scenario = load(series.scenario)
        if not isinstance(scenario.workload, ClosedLoop):
            raise InputError(f"{place}.scenario: '{series.scenario}' is no closed loop")
        for clients in series.clients:
            values: dict[str, Any] = {**series.set, "workload.clients": clients}
            changed = with_fields(scenario, values, place)
            requests = campaign.cycles[clients] * clients
            found.append(
                LivePoint(
                    name=f"{name}-{clients}",
                    series=name,
                    scenario=changed,
                    dilation=series.dilation,
                    warmup_cycles=campaign.warmup_cycles,
                    requests=requests,
                )
            )
    return found


def controlled_runs(
    campaign: LiveCampaign, load: Callable[[str], Scenario], source: str
) -> list[ControlledRun]:
    """Two runs a scenario: one in which the controller only looks, and one in which it acts.

    Raises InputError for what is no field or no closed loop, with the file `source` in front.
    """
    control = campaign.control
    place = f"{source}: control"
    runs = []
    for name in control.scenarios:
        scenario = load(name)
        if not isinstance(scenario.workload, ClosedLoop):
            raise InputError(f"{place}.scenarios: '{name}' is no closed loop")
        for arm, dry_run in (("static", True), ("adaptive", False)):
            slow = slowed(control.controller, 1 / control.dilation)
            values: dict[str, Any] = {
                **control.set,
                "workload.clients": max(phase.clients for phase in control.phases),
                "workload.phases": [
                    {"duration": phase.seconds / control.dilation, "clients": phase.clients}
                    for phase in control.phases
                ],
                "controller": slow.model_copy(update={"dry_run": dry_run}).model_dump(),
            }
            runs.append(
                ControlledRun(
                    name=f"{name}-{arm}",
                    scenario=with_fields(scenario, values, place),
                    dilation=control.dilation,
                    stretches=_stretches(control),
                )
            )
    return runs


def slowed(controller: Controller, factor: float) -> Controller:
    """The controller of a system in which everything takes `factor` times as long."""
    thresholds = controller.thresholds
    if thresholds.unit == "seconds":
        thresholds = thresholds.model_copy(
            update={
                "transition": factor * thresholds.transition,
                "saturated": factor * thresholds.saturated,
            }
        )
    return controller.model_copy(
        update={
            "interval": factor * controller.interval,
            "window": factor * controller.window,
            "cooldown": factor * controller.cooldown,
            "edges": [factor * edge for edge in controller.edges],
            "thresholds": thresholds,
        }
    )


def _stretches(control: LiveControl) -> list[Stretch]:
    found, start = [], 0.0
    for phase in control.phases:
        end = start + phase.seconds
        found.append(
            Stretch(
                phase=phase.name,
                clients=phase.clients,
                start=(start + control.settle) / control.dilation,
                end=end / control.dilation,
            )
        )
        start = end
    return found
