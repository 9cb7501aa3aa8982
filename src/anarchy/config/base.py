"""Kinds of values that several sections use, with their bounds, and the base of all models.

The bounds are far beyond what makes sense, and near enough that nothing overflows or takes for
ever: a time may be 30 years, and no run has a billion clients.
"""

from collections.abc import Hashable
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Scalar = bool | int | float | str


def _whole(value: object) -> object:
    """A whole number may be written as 1e5 or 64.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _visible(text: str) -> str:
    if not text.replace("\n", " ").isprintable():
        raise ValueError("control characters and other invisible ones are not allowed")
    return text


def _one_line(text: str) -> str:
    if "\n" in text:
        raise ValueError("line breaks are not allowed")
    return _visible(text)


T = TypeVar("T", bound=Hashable)


def _distinct(names: list[T]) -> list[T]:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise ValueError(f"'{name}' occurs twice")
    return names


NAME_PATTERN = r"^[a-z0-9][a-z0-9-]*$"


Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=100)]


FieldPath = Annotated[str, Field(pattern=r"^[a-z_0-9]+(\.[a-z_0-9]+)*$", max_length=100)]


Title = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]


Prose = Annotated[str, Field(max_length=2000), AfterValidator(_visible)]


FilePath = Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_one_line)]


Distinct = AfterValidator(_distinct)


Whole = Annotated[int, BeforeValidator(_whole)]


Seed = Annotated[Whole, Field(ge=0, lt=2**63)]


Count = Annotated[Whole, Field(ge=1, le=100_000_000)]


Order = Annotated[Whole, Field(ge=0, le=5)]


Replications = Annotated[Whole, Field(ge=1, le=10_000)]


Clients = Annotated[Whole, Field(ge=1, le=100_000)]


Real = Annotated[float, Field(ge=-1e9, le=1e9)]


Seconds = Annotated[float, Field(ge=0, le=1e9)]


Duration = Annotated[float, Field(ge=1e-12, le=1e9)]
"""Seconds that are not none."""


Interval = Annotated[float, Field(ge=1e-3, le=1e9)]
"""Seconds after which something is done again, and again."""


Rate = Annotated[float, Field(ge=1e-6, le=1e6)]


Load = Annotated[float, Field(ge=0, le=1e6)]
"""A rate that may be none."""


Factor = Annotated[float, Field(ge=1e-6, le=1e6)]


Weight = Annotated[float, Field(ge=0, le=1e6)]


Tokens = Annotated[float, Field(ge=0, le=1e8)]


Bandwidth = Annotated[float, Field(ge=1, le=1e18)]


class Model(BaseModel):
    """Base of all configuration models: no unknown keys, no change after validation.

    It is strict: a truth value is no number, a number no truth value and text neither.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


M = TypeVar("M", bound=Model)
