"""Latency functions of a resource: cost per user at an integer load 1, 2, ...

Each is a frozen dataclass that is called with a load and answers with a Fraction, or with
`math.inf` beyond its capacity. Numbers given as int, str or float are read exactly.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

from anarchy.common.errors import InputError
from anarchy.games.common.rational import Extended, positive, rational


@dataclass(frozen=True)
class Polynomial:
    """c0 + c1 x + c2 x^2 + ...; coefficients may be negative."""

    coefficients: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        read = tuple(rational(c, "polynomial") for c in self.coefficients)
        if not read:
            raise InputError("polynomial: needs at least one coefficient")
        object.__setattr__(self, "coefficients", read)

    def __call__(self, load: int) -> Extended:
        value = Fraction(0)
        for coefficient in reversed(self.coefficients):
            value = value * load + coefficient
        return value


@dataclass(frozen=True)
class MM1:
    """Mean time in an M/M/1 system, 1/(service_rate - x); infinite from x = service_rate."""

    service_rate: Fraction

    def __post_init__(self) -> None:
        object.__setattr__(self, "service_rate", positive(self.service_rate, "mm1"))

    def __call__(self, load: int) -> Extended:
        return 1 / (self.service_rate - load) if load < self.service_rate else math.inf


@dataclass(frozen=True)
class Table:
    """Values at load 1, 2, ..., one for each load that the game can reach."""

    values: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        read = tuple(rational(v, "table") for v in self.values)
        object.__setattr__(self, "values", read)

    def __call__(self, load: int) -> Extended:
        if not 1 <= load <= len(self.values):
            raise InputError(f"table: gives loads 1 to {len(self.values)}, load {load} is needed")
        return self.values[load - 1]


Latency = Polynomial | MM1 | Table
