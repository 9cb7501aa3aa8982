"""Experiments sweep fields of scenarios and measure; studies explore a space of assumptions."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from anarchy.config.base import (
    Clients,
    Count,
    Distinct,
    FieldPath,
    FilePath,
    Load,
    Model,
    Name,
    Prose,
    Replications,
    Title,
)
from anarchy.config.estimator import Estimator

MOST_POINTS = 10_000
"""Most points of an experiment or a study."""

VARIANT = "variant"
"""The axis of an experiment's variants, beside its swept fields."""

Value = Title | int | float | bool | None

Setting = Value | list[float]
"""A value that is fixed; one that is swept or names a point is no list."""

Values = Annotated[list[Value], Field(min_length=1), Distinct]

Names = Annotated[list[Title], Field(min_length=1), Distinct]

Fields = Annotated[list[FieldPath], Field(min_length=1), Distinct]


class Figure(Model):
    """What the experiment's figure shows."""

    kind: Literal["line", "bar", "heatmap"] = "line"
    x: FieldPath = Field(description="a swept field, or `scenario`")
    y: Names = Field(description="measures, one panel each")
    series: FieldPath | None = Field(None, description="a swept field, or `scenario`: one line")
    rows: FieldPath | None = Field(None, description="heatmap: the field of the vertical axis")
    panels: FieldPath | None = Field(None, description="heatmap: one panel per value")
    log_x: bool = False
    log_y: bool = False
    in_text: bool = Field(False, description="placed in the paper's text, not in the appendix")

    @model_validator(mode="after")
    def _heatmaps_have_rows(self) -> Self:
        if (self.kind == "heatmap") != (self.rows is not None):
            raise ValueError("'rows' belongs to figures of kind 'heatmap', which need it")
        return self


class Table(Model):
    """What the experiment's table shows: one row per point, one column per measure."""

    measures: Names


class Knee(Model):
    """Where the load sweep bends: the interval between two neighbouring grid points."""

    field: FieldPath = "workload.clients"
    busy: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.995, description="load of the busiest prefill worker that counts as saturated"
    )


class Compare(Model):
    """Paired differences between the values of one swept field and its baseline."""

    field: FieldPath
    baseline: Value
    measures: Names


class Spread(Model):
    """How much measures differ over the settings of some swept fields, the others held fixed."""

    over: Fields
    measures: Names


class Experiment(Model):
    """Scenarios x swept fields x seeds -> measures, a figure and a table."""

    title: Title
    question: Prose = Field(description="what the experiment answers, in one sentence")
    scenarios: Annotated[list[Name], Field(min_length=1), Distinct]
    set: dict[FieldPath, Setting] = Field(default={}, description="fields fixed in all scenarios")
    sweep: dict[FieldPath, Values] = {}
    variants: dict[Name, dict[FieldPath, Setting]] = Field(
        default={},
        description="named sets of fields, such as those of an ablation: an axis beside the swept "
        "fields, called `variant`",
    )
    replications: Replications | None = Field(None, description="null takes the settings' number")
    requests: Count | None = Field(None, description="null takes the settings' number")
    measures: Names
    estimators: dict[Name, Estimator] = Field(
        default={}, description="each defines the measure poa-hat:<name>"
    )
    knee: Knee | None = None
    compare: Compare | None = None
    spread: Spread | None = None
    figure: Figure
    table: Table
    plugins: Annotated[list[FilePath], Distinct] = Field(
        default=[], description="Python files that register policies"
    )

    @model_validator(mode="after")
    def _nothing_is_given_twice(self) -> Self:
        if both := sorted(set(self.set) & set(self.sweep)):
            raise ValueError(f"'{both[0]}' is both in 'set' and in 'sweep'")
        for name, fields in self.variants.items():
            if both := sorted(set(fields) & set(self.sweep)):
                raise ValueError(f"'{both[0]}' is both in the variant '{name}' and in 'sweep'")
        return self

    @model_validator(mode="after")
    def _is_finite(self) -> Self:
        _limit(self.scenarios, self.axes)
        return self

    @property
    def axes(self) -> dict[str, list[Value]]:
        """What tells the points of one scenario apart: the variants, then the swept fields."""
        variants: dict[str, list[Value]] = {VARIANT: [*self.variants]} if self.variants else {}
        return variants | self.sweep

    def fields(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a scenario that a point of `axes` sets; a variant is laid over `set`."""
        varied = {path: value for path, value in point.items() if path != VARIANT}
        return self.set | self.variants.get(point.get(VARIANT, ""), {}) | varied


class Fact(Model):
    """A published fact that the study does not fit: its members are held against it."""

    claim: Annotated[str, Field(pattern=r"^C[0-9]{2}$")]
    text: Prose
    measure: Title
    clients: Clients = Field(description="the load at which the measure is taken")
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a fact needs 'at_least', 'at_most' or both")
        return self


class KneeMap(Model):
    """The knee over a grid of assumptions, and the set that meets one published fact."""

    kind: Literal["knee-map"]
    title: Title
    question: Prose
    scenarios: Annotated[list[Name], Field(min_length=1), Distinct]
    axes: dict[FieldPath, Values] = Field(min_length=1)
    above: Load = Field(description="the published knee lies above this concurrency")
    upto: Load = Field(description="and at or below this one")
    busy: Annotated[float, Field(gt=0, lt=1)] = 0.995
    largest: Clients = Field(1024, description="concurrency at which the search gives up")
    replications: Replications = Field(3, description="searches per point, each with its own seeds")
    requests: Count | None = Field(None, description="null takes the settings' number")
    estimators: dict[Name, Estimator] = {}
    facts: list[Fact] = Field(
        default=[], description="other published facts, judged on the feasible set, never fitted"
    )

    @model_validator(mode="after")
    def _can_be_searched(self) -> Self:
        if self.above >= self.upto:
            raise ValueError(f"'above' ({self.above}) must be less than 'upto' ({self.upto})")
        if "workload.clients" in self.axes:
            raise ValueError("axes: 'workload.clients' is what the search varies")
        _limit(self.scenarios, self.axes)
        return self


Study = KneeMap


def _limit(scenarios: Sequence[str], axes: Mapping[str, Sequence[Any]]) -> None:
    points = math.prod(map(len, axes.values()), start=len(scenarios))
    if points > MOST_POINTS:
        raise ValueError(f"{points} combinations of scenarios and values; allowed: {MOST_POINTS}")


def combinations(axes: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """All combinations of the axes' values, the last axis varying fastest."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
