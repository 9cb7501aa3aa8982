"""Fields of game files: exact numbers by themselves, in lists and in lists of lists.

Each is a pydantic type that reads a number with `anarchy.games.common.rational.rational`, so that
0.1 is exactly 1/10 and "5/2" is a number too. Lists become tuples.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Annotated, Any, Self

from pydantic import PlainValidator, model_validator

from anarchy.common.errors import InputError
from anarchy.config.base import Model
from anarchy.games.common.rational import brief, rational

_SHAPES = ("one number", "a list of numbers", "a list of lists of numbers")


def _read(value: object, depth: int, where: str) -> Any:
    """A number (depth 0), a list of numbers (1) or a matrix (2), lists as tuples."""
    if depth == 0:
        try:
            return rational(value, where)
        except InputError as error:
            raise ValueError(str(error).removeprefix("number: ")) from None
    if not isinstance(value, list):
        raise ValueError(f"{where}: {_SHAPES[depth]} is wanted")
    name = "entry " if where == "number" else where
    return tuple(_read(entry, depth - 1, f"{name}[{i}]") for i, entry in enumerate(value))


def _shaped(*depths: int) -> Callable[[object], Any]:
    """A reader of numbers that are nested as deep as one of `depths` says."""

    def read(value: object) -> Any:
        depth, probe = 0, value
        while isinstance(probe, list) and depth < len(_SHAPES):
            depth, probe = depth + 1, probe[0] if probe else None
        if depth not in depths:
            raise ValueError(f"{' or '.join(_SHAPES[d] for d in depths)} is wanted")
        return _read(value, depth, "number")

    return read


def _whole(value: object) -> int:
    number: Fraction = _shaped(0)(value)
    if number.denominator != 1:
        raise ValueError(f"a whole number is wanted, got {brief(number)}")
    return int(number)


def _whole_pair(value: object) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("two whole numbers are wanted: [rows, columns]")
    return _whole(value[0]), _whole(value[1])


Number = Annotated[Fraction, PlainValidator(_shaped(0))]
Vector = Annotated[tuple[Fraction, ...], PlainValidator(_shaped(1))]
Matrix = Annotated[tuple[tuple[Fraction, ...], ...], PlainValidator(_shaped(2))]
PerNode = Annotated[Fraction | tuple[Fraction, ...], PlainValidator(_shaped(0, 1))]
PerNodeAndObject = Annotated[
    Fraction | tuple[Fraction, ...] | tuple[tuple[Fraction, ...], ...],
    PlainValidator(_shaped(0, 1, 2)),
]
Whole = Annotated[int, PlainValidator(_whole)]
Pair = Annotated[tuple[int, int], PlainValidator(_whole_pair)]


class OneOf(Model):
    """A mapping with exactly one key, which says how its value is meant."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len([name for name, value in self if value is not None]) != 1:
            raise ValueError(f"exactly one key is wanted: {', '.join(type(self).model_fields)}")
        return self

    @property
    def chosen(self) -> tuple[str, Any]:
        """The key and its value."""
        ((name, value),) = [(name, value) for name, value in self if value is not None]
        return name, value
