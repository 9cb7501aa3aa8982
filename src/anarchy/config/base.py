"""Kinds of values that several sections use, and the base of all models."""

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Scalar = bool | int | float | str


NAME_PATTERN = r"^[a-z0-9][a-z0-9-]*$"


Name = Annotated[str, Field(pattern=NAME_PATTERN)]


FieldPath = Annotated[str, Field(pattern=r"^[a-z_0-9]+(\.[a-z_0-9]+)*$")]


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


Count = Annotated[int, Field(ge=1, le=100_000_000)]


Order = Annotated[int, Field(ge=0, le=5)]


class Model(BaseModel):
    """Base of all configuration models: no unknown keys, no change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


M = TypeVar("M", bound=Model)
