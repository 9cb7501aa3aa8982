"""Estimators of PoA-hat: one choice for each thing that the source leaves open; a study of them."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from anarchy.config.base import (
    Clients,
    Count,
    Distinct,
    FieldPath,
    Interval,
    Model,
    Name,
    Prose,
    Replications,
    Scalar,
    Title,
)

MOST_MEMBERS = 20_000
"""Most members of a family of estimators."""

Freezing = Literal["arrival", "window-start", "idle"]


class Window(Model):
    """Which requests are matched together."""

    windowing: Name = Field("last-n", description="how windows are cut")
    window: Count = Field(40, description="requests of a window of windowing last-n")
    seconds: Interval = Field(5.0, description="length or distance of windows in time, seconds")


class FrozenEntry(Model):
    """What a request would cost on a worker."""

    entry: Name = Field(
        "decode-latency", description="matrix entry of request i on worker j, in seconds or blocks"
    )
    freezing: Freezing | None = Field(
        None,
        description="the moment whose loads the entries are frozen at; null takes the entry's own",
    )


class Estimator(Window, FrozenEntry):
    """How PoA-hat is computed from a request log; `measure/estimators` knows the names."""

    matching: Name = Field(
        "balanced",
        description="balanced gives each worker ceil(n/m) places; rectangular assigns only "
        "min(n, m) requests while the numerator counts all; unconstrained has no capacity",
    )
    numerator: Name = Field(
        "frozen", description="cost of the actual routing: matrix entries, or what really happened"
    )
    aggregation: Name = Field("ratio-of-sums", description="how windows are put together")


Names = Annotated[list[Name], Field(min_length=1), Distinct]


class Family(Model):
    """Estimators: every combination of the choices that makes sense."""

    windows: list[Window] = Field(min_length=1)
    entries: list[FrozenEntry] = Field(min_length=1)
    numerators: Names
    matchings: Names
    aggregations: Names

    def __len__(self) -> int:
        """Combinations, those that make no sense included."""
        names = len(self.numerators) * len(self.matchings) * len(self.aggregations)
        return len(self.windows) * len(self.entries) * names


class Property(Model):
    """A published property of the index; a member of the family meets it or does not.

    `statistic` is computed from a member's values; with several (one a scenario) all have to lie
    between the ends.
    """

    claim: Annotated[str, Field(pattern=r"^C[0-9]{2}$")]
    text: Prose
    statistic: Name
    scenario: Name | None = Field(
        None,
        description="judged on this scenario alone, by nobody if it is not studied; null: on all",
    )
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a property needs 'at_least', 'at_most' or both")
        return self


class EstimatorStudy(Model):
    """A family of estimators on runs that are simulated once, held against published properties."""

    kind: Literal["estimators"]
    title: Title
    question: Prose
    scenarios: Annotated[list[Name], Field(min_length=1), Distinct]
    clients: Annotated[list[Clients], Field(min_length=1), Distinct] = Field(
        description="loads of the curves, ascending; all other axes at the scenarios' values"
    )
    low: Clients = Field(description="loads up to this one are low")
    flat: Annotated[list[Clients], Field(min_length=1), Distinct] = Field(
        description="loads on the plateau"
    )
    plateau: Clients = Field(description="the load at which the plateau's level is taken")
    deep: Clients = Field(description="the load of deep saturation")
    settings: dict[FieldPath, Annotated[list[Scalar], Field(min_length=1), Distinct]] = Field(
        description="swept fields, all combinations of them at `plateau` and `deep`"
    )
    variants: dict[Name, dict[FieldPath, Scalar]] = Field(
        default={}, description="named sets of fields, at `plateau` and `deep`"
    )
    systems: dict[Name, dict[FieldPath, Scalar]] = Field(
        default={}, description="named sets of fields in which routing may lose much, at `plateau`"
    )
    replications: Annotated[Replications, Field(ge=2)] = 3
    requests: Count | None = Field(None, description="null takes the settings' number")
    levels: dict[Name, float] = Field(
        default={}, description="published plateaus of scenarios, for ranks among equals"
    )
    families: list[Family] = Field(min_length=1)
    properties: dict[Name, Property] = Field(min_length=1)
    survive: Name | None = Field(
        None, description="the property without which a member is neither in figure nor in table"
    )
    shown: Count = Field(5, description="kinds of members that figure and table show")
    compared: list[Title] = Field(
        default=[], description="members whose index is drawn over what the runs lost"
    )

    @model_validator(mode="after")
    def _loads_are_swept(self) -> Self:
        if self.clients != sorted(self.clients):
            raise ValueError("clients: loads in ascending order are wanted")
        if self.survive is not None and self.survive not in self.properties:
            raise ValueError(f"survive: '{self.survive}' is not in 'properties'")
        for key, load in (
            *(("flat", load) for load in self.flat),
            ("plateau", self.plateau),
            ("deep", self.deep),
        ):
            if load not in self.clients:
                raise ValueError(f"{key}: {load} is not in 'clients'")
        return self

    @model_validator(mode="after")
    def _is_finite(self) -> Self:
        if math.prod(map(len, self.settings.values())) < 2:
            raise ValueError("settings: at least two combinations are wanted")
        members = sum(map(len, self.families))
        if members > MOST_MEMBERS:
            raise ValueError(f"families: {members} combinations; allowed: {MOST_MEMBERS}")
        return self
