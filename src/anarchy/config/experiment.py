"""Experiments sweep fields of scenarios and measure; studies explore a space of assumptions."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from anarchy.config.estimator import Estimator, EstimatorStudy

MOST_POINTS = 10_000
"""Most points of an experiment or a study."""

VARIANT = "variant"
"""The axis of an experiment's variants, beside its swept fields."""

PHASE = "phase"
"""The axis of the phases of a run, which tells the rows of one point apart."""

OUTPUT_TOKENS = "workload.output_tokens"
"""The axis that every knee map has."""

Value = Title | int | float | bool | None

Setting = Value | list[float] | list[dict[Name, Value]]
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
    published: dict[FieldPath, Value] = Field(
        default={},
        description="heatmap: swept fields as the published deployment has them; cells with all of "
        "them are framed",
    )
    curve: list[Annotated[list[float], Field(min_length=2, max_length=2)]] = Field(
        default=[],
        description="line, heatmap: points of a curve drawn over it, such as a prediction: x and "
        "the value of `y`, in the unit of the results, or of `rows`, all among numbers",
    )
    curve_in: dict[FieldPath, Value] = Field(
        default={},
        description="heatmap: swept fields of the panels that have the curve; none: all have it",
    )
    log_x: bool = False
    log_y: bool = False
    in_text: bool = Field(False, description="placed in the paper's text, not in the appendix")

    @model_validator(mode="after")
    def _heatmaps_have_rows(self) -> Self:
        if (self.kind == "heatmap") != (self.rows is not None):
            raise ValueError("'rows' belongs to figures of kind 'heatmap', which need it")
        if self.published and self.kind != "heatmap":
            raise ValueError("'published' belongs to figures of kind 'heatmap'")
        if self.curve_in and not (self.curve and self.kind == "heatmap"):
            raise ValueError("'curve_in' belongs to figures of kind 'heatmap' with a 'curve'")
        if self.curve and self.kind == "bar":
            raise ValueError("'curve' belongs to figures of kind 'line' or 'heatmap'")
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
    phases: Annotated[list[Name], Distinct] = Field(
        default=[],
        description="phases of the workload that are measured one by one, by when requests are "
        "done: an axis called `phase`; none: whole runs are",
    )
    estimators: dict[Name, Estimator] = Field(
        default={}, description="each defines the measure poa-hat:<name>"
    )
    rivals: FieldPath | None = Field(
        None,
        description="an axis: losses are over the best schedule of all its values, not of each; "
        "needs found:<criterion> and bound:<criterion> among the measures",
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
    def _phases_have_no_knee(self) -> Self:
        if self.phases and self.knee is not None:
            raise ValueError("'knee' is of whole runs, 'phases' are not")
        return self

    @model_validator(mode="after")
    def _is_finite(self) -> Self:
        _limit(self.scenarios, self.axes)
        return self

    @property
    def keys(self) -> list[str]:
        """The columns that tell the rows of a measure apart."""
        return ["scenario", *self.axes, *([PHASE] if self.phases else [])]

    @property
    def axes(self) -> dict[str, list[Value]]:
        """What tells the points of one scenario apart: the variants, then the swept fields."""
        variants: dict[str, list[Value]] = {VARIANT: [*self.variants]} if self.variants else {}
        return variants | self.sweep

    def fields(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a scenario that a point of `axes` sets; a variant is laid over `set`."""
        return self.set | _fields(self.variants, point)


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


class KneeMapFigure(Model):
    """What the figure of a knee map shows: where the knee may be, over output tokens to the right.

    The bounds are drawn for all whole numbers between the ends of the axis `y`.
    """

    y: FieldPath = Field(description="an axis of whole numbers, upwards")
    panels: Annotated[list[dict[FieldPath, Value]], Field(min_length=1)] = Field(
        default=[{}], description="values of further axes; those not given have their first one"
    )


class KneeMap(Model):
    """The knee over a grid of assumptions, and the set that meets one published fact."""

    kind: Literal["knee-map"]
    title: Title
    question: Prose
    scenarios: Annotated[list[Name], Field(min_length=1), Distinct]
    axes: dict[FieldPath, Values] = Field(min_length=1)
    variants: dict[Name, dict[FieldPath, Value]] = Field(
        default={}, description="named sets of fields: the first axis, called `variant`"
    )
    above: Load = Field(description="the published knee lies above this concurrency")
    upto: Load = Field(description="and at or below this one")
    busy: Annotated[float, Field(gt=0, lt=1)] = 0.995
    largest: Clients = Field(1024, description="concurrency at which the search gives up")
    margin: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.05,
        description="share by which the bounds of operational laws are widened before they decide",
    )
    audit: Annotated[float, Field(ge=0, le=1)] = Field(
        0.1,
        description="share of the combinations decided by them that are simulated all the same",
    )
    replications: Replications = Field(3, description="runs per point, each with its own seeds")
    requests: Count | None = Field(None, description="null takes the settings' number")
    figure: KneeMapFigure
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
        for name, fields in self.variants.items():
            if both := sorted(set(fields) & set(self.axes)):
                raise ValueError(f"'{both[0]}' is both in the variant '{name}' and in 'axes'")
        _limit(self.scenarios, self.every_axis)
        return self

    @model_validator(mode="after")
    def _figure_shows_axes(self) -> Self:
        for path in (OUTPUT_TOKENS, self.figure.y):
            if not all(type(value) is int for value in self.axes.get(path, [None])):
                raise ValueError(f"'{path}' must be among 'axes', with whole numbers")
        for panel in self.figure.panels:
            for path, value in panel.items():
                if value not in self.every_axis.get(path, []):
                    raise ValueError(f"figure: panels: {path} is never {value}")
        return self

    @property
    def output_tokens(self) -> list[int]:
        """The values of the axis that every map has."""
        return [value for value in self.axes[OUTPUT_TOKENS] if isinstance(value, int)]

    @property
    def every_axis(self) -> dict[str, list[Value]]:
        """The variants, then the axes."""
        variants: dict[str, list[Value]] = {VARIANT: [*self.variants]} if self.variants else {}
        return variants | self.axes

    def fields(self, point: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a scenario that a point of `every_axis` sets."""
        return _fields(self.variants, point)

    def values_of(self, path: FieldPath) -> set[Value]:
        """All that the study sets a field to."""
        varied = {fields[path] for fields in self.variants.values() if path in fields}
        return varied | set(self.axes.get(path, []))


Study = KneeMap | EstimatorStudy

STUDY_KINDS: dict[str, type[KneeMap] | type[EstimatorStudy]] = {
    "knee-map": KneeMap,
    "estimators": EstimatorStudy,
}
"""The model of a study by its `kind`."""


def _limit(scenarios: Sequence[str], axes: Mapping[str, Sequence[Any]]) -> None:
    points = math.prod(map(len, axes.values()), start=len(scenarios))
    if points > MOST_POINTS:
        raise ValueError(f"{points} combinations of scenarios and values; allowed: {MOST_POINTS}")


def _fields(variants: Mapping[str, Mapping[str, Any]], point: Mapping[str, Any]) -> dict[str, Any]:
    varied = {path: value for path, value in point.items() if path != VARIANT}
    return {**variants.get(point.get(VARIANT, ""), {}), **varied}


def pairs(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Combinations in which any two values of two axes occur together, the others being the first.

    They show every fault of a scenario that is not about three of its fields.
    """
    first = {axis: values[0] for axis, values in axes.items()}
    yield first
    for chosen in itertools.combinations(axes, min(2, len(axes))):
        for values in combinations({axis: axes[axis] for axis in chosen}):
            yield first | values


def combinations(axes: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """All combinations of the axes' values, the last axis varying fastest."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
