"""Where the times of a table come from: computed by a model, scaled, assumed, or measured."""

from typing import Annotated, Literal

from pydantic import Field

from anarchy.config.base import Count, Model, Prose, Title


class Derivation(Model):
    """Times that nobody measured.

    A performance model estimated them, they are scaled from another table, or they are assumed.
    """

    kind: Literal["estimated", "scaled", "assumed"]
    source: Prose
    version: Title
    licence: Title
    call: Prose = Field(description="how the source was asked")
    note: Prose


class Measurement(Model):
    """Times that were measured on a GPU."""

    kind: Literal["measured"]
    source: Prose = Field(description="the measured cells, of which the table is made")
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    gpu: Title
    software: Title
    licence: Title
    statistic: Title = Field(description="what the table holds of the replays of a cell")
    replays: list[Count] = Field(min_length=1, description="fewest and most replays of a cell")
    cells: Count = Field(description="measured cells, of prefill and decode together")
    residual_itl: Annotated[float, Field(ge=0, le=1)] = Field(
        description="largest share by which a measured ITL lies off the line of its batch"
    )
    residual_cached: Annotated[float, Field(ge=0, le=1)] = Field(
        description="the same of prefill behind cached tokens"
    )
    lacks: Prose = Field(description="what of a served request the times do not contain")


Provenance = Annotated[Derivation | Measurement, Field(discriminator="kind")]
