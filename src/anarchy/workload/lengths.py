"""Laws of prompt and answer lengths: whole numbers of tokens, at least 1.

A law is its quantile function. A draw takes exactly one uniform number, so that two laws fed by
equal generators give lengths in the same order (common random numbers). A law is one class with
a registered name, found by that name in a configuration.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError, suggest
from anarchy.common.registry import Registry
from anarchy.workload.traces import MOST_TOKENS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Lengths(ABC):
    """A law of lengths."""

    @property
    @abstractmethod
    def mean(self) -> float:
        """Its mean in tokens before rounding, which moves it by less than one token."""

    @abstractmethod
    def _quantiles(self, levels: Floats) -> Floats:
        """The quantile function before rounding; levels are in [0, 1)."""

    def quantiles(self, levels: Floats) -> Integers:
        """The lengths at the given levels in [0, 1), rounded, between 1 and MOST_TOKENS."""
        exact = self._quantiles(np.asarray(levels, dtype=np.float64))
        return np.clip(np.floor(exact + 0.5), 1, MOST_TOKENS).astype(np.int64)

    def sample(self, rng: np.random.Generator, size: int) -> Integers:
        """`size` independent lengths, from as many uniform numbers."""
        return self.quantiles(rng.random(size))


LAWS: Registry[type[Lengths]] = Registry("law of lengths")
register = LAWS.register


def make_lengths(name: str, parameters: Mapping[str, Any], source: str = "lengths") -> Lengths:
    """The law registered under `name`; a fault is one InputError that begins with `source`."""
    law = LAWS.find(name, f"{source}.kind")
    wanted = law.__dataclass_fields__.keys()  # type: ignore[attr-defined]
    for key in parameters:
        if key not in wanted:
            raise InputError(f"{source}.{key}: unknown key; {suggest(key, wanted)}")
    for key in wanted:
        if key not in parameters:
            raise InputError(f"{source}.{key}: missing; law '{name}' needs {', '.join(wanted)}")
    try:
        return law(**parameters)
    except InputError as fault:
        raise InputError(f"{source}.{fault}") from None


def _check(key: str, value: float, least: float, open_end: bool = False) -> None:
    fits = value > least if open_end else value >= least
    if isinstance(value, bool) or not (fits and value <= MOST_TOKENS):
        interval = f"above {least:g}" if open_end else f"from {least:g}"
        raise InputError(f"{key}: {value}, allowed are numbers {interval} to {MOST_TOKENS}")


@register("fixed")
@dataclass(frozen=True)
class Fixed(Lengths):
    """Always `tokens`."""

    tokens: int

    def __post_init__(self) -> None:
        _check("tokens", self.tokens, 1)
        if self.tokens != int(self.tokens):
            raise InputError(f"tokens: {self.tokens}, allowed are whole numbers")

    @property
    def mean(self) -> float:
        return float(self.tokens)

    def _quantiles(self, levels: Floats) -> Floats:
        return np.full(levels.shape, float(self.tokens))


@register("geometric")
@dataclass(frozen=True)
class Geometric(Lengths):
    """Each token ends the text with probability 1 / `mean_tokens`: 1, 2, ... without memory."""

    mean_tokens: float

    def __post_init__(self) -> None:
        _check("mean_tokens", self.mean_tokens, 1)

    @property
    def mean(self) -> float:
        return float(self.mean_tokens)

    def _quantiles(self, levels: Floats) -> Floats:
        if self.mean_tokens == 1:
            return np.ones(levels.shape)
        return np.ceil(np.log1p(-levels) / math.log1p(-1 / self.mean_tokens))


@register("exponential")
@dataclass(frozen=True)
class Exponential(Lengths):
    """Exponential with `mean_tokens`, rounded, at least 1.

    Rounding shifts its mean to 1 + exp(-3 / (2 m)) / (1 - exp(-1 / m)), m being `mean_tokens`.
    """

    mean_tokens: float

    def __post_init__(self) -> None:
        _check("mean_tokens", self.mean_tokens, 0, open_end=True)

    @property
    def mean(self) -> float:
        return float(self.mean_tokens)

    def _quantiles(self, levels: Floats) -> Floats:
        return -self.mean_tokens * np.log1p(-levels)


@register("log-normal")
@dataclass(frozen=True)
class LogNormal(Lengths):
    """exp of a normal law around log(`median`) with standard deviation `sigma`."""

    median: float
    sigma: float

    def __post_init__(self) -> None:
        _check("median", self.median, 0, open_end=True)
        _check("sigma", self.sigma, 0)
        if self.mean > MOST_TOKENS:
            raise InputError(f"sigma: {self.sigma} makes the mean exceed {MOST_TOKENS} tokens")

    @property
    def mean(self) -> float:
        exponent = math.log(self.median) + self.sigma**2 / 2
        return math.exp(exponent) if exponent < 700 else math.inf  # e^709 is the largest float

    def _quantiles(self, levels: Floats) -> Floats:
        if self.sigma == 0:
            return np.full(levels.shape, float(self.median))
        from scipy.special import ndtri  # SciPy takes as long to import as all else

        # A normal quantile at level 0 is -inf, which exp takes to 0 tokens, and rounding to 1.
        with np.errstate(over="ignore"):  # an overflow is the limit MOST_TOKENS
            return self.median * np.exp(self.sigma * ndtri(levels))


@register("quantiles")
@dataclass(frozen=True)
class Quantiles(Lengths):
    """An empirical law: its quantile function, linear between the given points.

    `levels` rise from 0 to 1; `values[i]` tokens is the quantile at `levels[i]`.
    """

    levels: Sequence[float]
    values: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.values) or len(self.levels) < 2:
            raise InputError(
                f"values: {len(self.values)} for {len(self.levels)} levels; one for each of at "
                "least 2 is wanted"
            )
        rising = all(low < high for low, high in pairwise(self.levels))
        if not rising or self.levels[0] != 0 or self.levels[-1] != 1:
            raise InputError("levels: they must rise from 0 to 1")
        for value in self.values:
            _check("values", value, 0)
        if any(low > high for low, high in pairwise(self.values)):
            raise InputError("values: they must not fall")

    @property
    def mean(self) -> float:
        return float(np.trapezoid(np.asarray(self.values, dtype=np.float64), self.levels))

    def _quantiles(self, levels: Floats) -> Floats:
        return np.interp(levels, self.levels, self.values)
