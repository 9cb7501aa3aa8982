"""The tables of service times in config/latency: their schema and their checks.

A table holds estimates of a performance model, or what was measured; its `provenance` says which.
Values may be noisy, and those between the ends of a table are taken as they are. Its last steps
must not fall, because extrapolation (see `lookup`) would carry them on below zero; such a table is
refused. A context axis has one or two points, so that for any batch the inter-token latency (ITL)
is one line in the context and the time of k decode steps has a closed form; a third point would
make it piecewise, and the closed form wrong.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from anarchy.common.errors import InputError
from anarchy.config.base import Count, Duration, Model, Seconds, Title, Whole
from anarchy.serving.service_times.provenance import Provenance

Line = tuple[float, float, float]

ROUNDING = 1e-12
"""A fall by less than this share of the largest value is a rounding error (scaled tables)."""


MOST_TOKENS = 10**8
"""No prompt is longer; even there a rounding error must not become a negative time."""


class BatchedTimes(Model):
    """Seconds of a prefill step of several prompts of `prompt_tokens` each, by its tokens."""

    prompt_tokens: Count
    tokens: list[Count] = Field(min_length=2, description="of the step, one prompt first")
    seconds: list[Duration]

    @model_validator(mode="after")
    def _extrapolates(self) -> Self:
        _increasing(self.tokens)
        if self.tokens[0] != self.prompt_tokens:
            raise ValueError(
                f"tokens begin with {self.tokens[0]}, wanted is one prompt of {self.prompt_tokens}"
            )
        _rises_at_last("seconds", self.tokens, self.seconds)
        return self


class CachedTimes(Model):
    """Seconds that a prefill step takes longer for each cached token of the mean prompt."""

    tokens: list[Count] = Field(min_length=2, description="computed by the step")
    seconds_per_token: list[Seconds]

    @model_validator(mode="after")
    def _extrapolates(self) -> Self:
        _increasing(self.tokens)
        _rises_at_last("seconds_per_token", self.tokens, self.seconds_per_token)
        return self


class PrefillTimes(Model):
    """Seconds of one prefill step by the tokens that it computes, all of one prompt.

    Without `batched` several prompts cost as much as one of all their tokens, and without `cached`
    it costs nothing to attend to cached ones.
    """

    tokens: list[Count] = Field(min_length=3)
    seconds: list[Duration]
    batched: BatchedTimes | None = None
    cached: CachedTimes | None = None

    @field_validator("tokens")
    @classmethod
    def _axis(cls, axis: list[int]) -> list[int]:
        return _increasing(axis)

    @model_validator(mode="after")
    def _extrapolates(self) -> Self:
        if len(self.seconds) != len(self.tokens):
            raise ValueError(f"{len(self.seconds)} seconds for {len(self.tokens)} tokens")
        slope, curvature = parabola(self.tokens, self.seconds)
        span = self.tokens[-1] - self.tokens[-2]
        rounding = ROUNDING * max(self.seconds[-3:])
        far = MOST_TOKENS - self.tokens[-1], MOST_TOKENS - self.tokens[-2]
        falls = curvature * span**2 < -rounding or (slope + curvature * span) * span < -rounding
        if falls or self.seconds[-1] + far[0] * (slope + curvature * far[1]) < self.seconds[-1] / 2:
            raise ValueError(
                "the parabola through the last three entries falls beyond the table; their "
                "times must grow at least linearly"
            )
        return self


class ItlTimes(Model):
    """Seconds of one decode step: `seconds[i][j]` at `context[i]` tokens and batch `batch[j]`."""

    batch: list[Count] = Field(min_length=2)
    context: list[Count] = Field(description="one or two points")
    seconds: list[list[Duration]]

    @field_validator("batch", "context")
    @classmethod
    def _axis(cls, axis: list[int]) -> list[int]:
        return _increasing(axis)

    @field_validator("context")
    @classmethod
    def _one_line(cls, axis: list[int]) -> list[int]:
        if len(axis) not in (1, 2):
            raise ValueError(
                f"{len(axis)} points, allowed are one or two: the ITL of a batch must be one line "
                "in the context, or the time of many decode steps has no closed form"
            )
        return axis

    @model_validator(mode="after")
    def _extrapolates(self) -> Self:
        if len(self.seconds) != len(self.context):
            raise ValueError(
                f"{len(self.seconds)} rows of seconds for {len(self.context)} contexts"
            )
        for context, row in zip(self.context, self.seconds, strict=True):
            if len(row) != len(self.batch):
                raise ValueError(
                    f"{len(row)} seconds at context {context} for {len(self.batch)} batches"
                )
        first, last = self.seconds[0], self.seconds[-1]
        growth = [after - before for before, after in zip(first, last, strict=True)]
        rounding = ROUNDING * max(max(first), max(last))
        for batch, more in zip(self.batch, growth, strict=True):
            if more < -rounding:
                raise ValueError(
                    f"the ITL of batch {batch} falls from context {self.context[0]} to "
                    f"{self.context[-1]}; extrapolated, it would reach zero"
                )
        if first[-1] < first[-2] - rounding or growth[-1] < growth[-2] - rounding:
            raise ValueError(
                f"the ITL or its growth with the context falls from batch {self.batch[-2]} to "
                f"{self.batch[-1]}; extrapolated, it would reach zero"
            )
        return self


class LatencyTable(Model):
    """One table of service times."""

    model: Title
    system: Title
    backend: Title
    backend_version: Title
    tensor_parallel: Count
    provenance: Provenance
    all_reduces: Annotated[Whole, Field(ge=0, le=10_000)] = Field(
        0, description="all-reduces in each step that the times lack; 0: the times include them"
    )
    prefill: PrefillTimes
    itl: ItlTimes


def with_times(
    table: LatencyTable,
    step: Callable[[float], float],
    per_cached: Callable[[float], float],
) -> LatencyTable:
    """The table with other seconds of steps, and of cached tokens."""
    prefill, itl = table.prefill, table.itl
    batched, cached = prefill.batched, prefill.cached
    if batched is not None:
        batched = batched.model_copy(update={"seconds": [step(s) for s in batched.seconds]})
    if cached is not None:
        seconds = [per_cached(s) for s in cached.seconds_per_token]
        cached = cached.model_copy(update={"seconds_per_token": seconds})
    changed = {"seconds": [step(s) for s in prefill.seconds], "batched": batched, "cached": cached}
    rows = [[step(s) for s in row] for row in itl.seconds]
    return table.model_copy(
        update={
            "prefill": prefill.model_copy(update=changed),
            "itl": itl.model_copy(update={"seconds": rows}),
        }
    )


def with_all_reduce(table: LatencyTable, seconds: float) -> LatencyTable:
    """The table with `seconds` for each all-reduce that its times lack.

    Raises InputError if they lack none.
    """
    if not seconds:
        return table
    if not table.all_reduces:
        raise InputError(
            f"model.all_reduce is {seconds}, but the times of '{table.model}' on {table.system} "
            f"by {table.backend} include all-reduce; allowed: 0"
        )
    added = table.all_reduces * seconds
    return with_times(table, lambda step: step + added, lambda cached: cached)


def tabulated_line(itl: ItlTimes, j: int) -> Line:
    """The ITL of the j-th tabulated batch as (c0, value at c0, slope)."""
    value = itl.seconds[0][j]
    if len(itl.context) == 1:
        return float(itl.context[0]), value, 0.0
    run = itl.context[1] - itl.context[0]
    return float(itl.context[0]), value, (itl.seconds[1][j] - value) / run


def parabola(axis: Sequence[int], values: Sequence[float]) -> tuple[float, float]:
    """Newton's divided differences of the last three entries: first of the last two, second."""
    a, b, c = axis[-3:]
    first = (values[-2] - values[-3]) / (b - a)
    last = (values[-1] - values[-2]) / (c - b)
    return last, (last - first) / (c - a)


def _increasing(axis: list[int]) -> list[int]:
    for i, (before, after) in enumerate(pairwise(axis), start=1):
        if after <= before:
            raise ValueError(
                f"must increase strictly, but {after} follows {before} at position {i} "
                "(counted from 0)"
            )
    return axis


def _rises_at_last(name: str, axis: Sequence[int], values: Sequence[float]) -> None:
    if len(values) != len(axis):
        raise ValueError(f"{len(values)} {name} for {len(axis)} tokens")
    if values[-1] < values[-2]:
        raise ValueError(
            f"{name} fall from {axis[-2]} to {axis[-1]} tokens; extrapolated, they would reach zero"
        )
