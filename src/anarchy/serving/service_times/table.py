"""The tables of service times in config/latency: their schema, their checks, their scaling.

A table holds *estimates*: nobody measured them, a performance model computed them, and its
`provenance` says which. Values may be noisy, and those between the ends of a table are taken as
they are. Its last steps must not fall, because extrapolation (see `latency`) would carry them on
below zero; such a table is refused. A context axis has one or two points, so that for any batch
the inter-token latency (ITL) is one line in the context and the time of k decode steps has a
closed form; a third point would make it piecewise, and the closed form wrong.

**Scaling to another model.** A file may name another table and the shapes of both models instead
of holding times. By the roofline, one worker being g GPUs:

* prefill does 2 P N / g operations per GPU for N tokens and P parameters, so it is multiplied by
  w = (P'/g') / (P/g);
* a decode step reads P/g bytes of FP8 weights and does 2 P B / g operations per GPU, whatever the
  context, so the ITL at context 0 is multiplied by the same w;
* it also reads the KV cache, 2 * layers * KV heads * head dimension / g bytes of FP8 per GPU and
  token of context, so the slope of the ITL in the context is multiplied by
  k = (layers' * heads' * dim' / g') / (layers * heads * dim / g).

Neglected: kernel launches and all-reduces, which do not grow with w and depend on g (the scaled
times are too long at small batches); attention's share of prefill, which grows with layers and
width instead of P (too long for prompts far beyond 10,000 tokens).
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from anarchy.common.errors import InputError, suggest
from anarchy.config.base import Count, Duration, Model, Name, Prose, Title, Whole
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml

Line = tuple[float, float, float]

ROUNDING = 1e-12
"""A fall by less than this share of the largest value is a rounding error (scaled tables)."""


MOST_TOKENS = 10**8
"""No prompt is longer; even there a rounding error must not become a negative time."""


class Provenance(Model):
    """Where the times come from; they are estimates."""

    source: Prose
    version: Title
    licence: Title
    call: Prose = Field(description="how the source was asked")
    note: Prose


class PrefillTimes(Model):
    """Seconds of one prefill step by the tokens that it computes."""

    tokens: list[Count] = Field(min_length=3)
    seconds: list[Duration]

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
    prefill: PrefillTimes
    itl: ItlTimes


class Shape(Model):
    """What the roofline needs of a model and of the worker that serves it; FP8 throughout."""

    model: Title
    source: Prose
    parameters: Annotated[Whole, Field(ge=1, le=10**15)]
    layers: Count
    kv_heads: Count
    head_dimension: Count
    gpus_per_worker: Count

    @property
    def parameters_per_gpu(self) -> Fraction:
        """Parameters, and bytes of weights, on one GPU."""
        return Fraction(self.parameters, self.gpus_per_worker)

    @property
    def kv_per_gpu(self) -> Fraction:
        """Bytes of KV cache per token on one GPU."""
        return Fraction(2 * self.layers * self.kv_heads * self.head_dimension, self.gpus_per_worker)


class Roofline(Model):
    """The tabulated model and the one that its times are scaled to."""

    tabulated: Shape
    scaled: Shape

    @property
    def weights(self) -> Fraction:
        """w: the factor of prefill and of the ITL at context 0."""
        return self.scaled.parameters_per_gpu / self.tabulated.parameters_per_gpu

    @property
    def kv(self) -> Fraction:
        """k: the factor of the ITL's slope in the context."""
        return self.scaled.kv_per_gpu / self.tabulated.kv_per_gpu


class ScaledTable(Model):
    """Service times of a model that no table exists for, scaled from those of another."""

    scaled_from: Name
    provenance: Provenance
    roofline: Roofline


def latency_sources(folder: Path, name: str) -> list[Path]:
    """The files that the times of `name` come from: its own and the one that it scales."""
    path = folder / f"{name}.json"
    base = _read(path, name).get("scaled_from")
    return [path] if base is None else [path, folder / f"{base}.json"]


def load_table(folder: Path, name: str) -> LatencyTable:
    """Read `<folder>/<name>.json`, scaled from another table where the file says so.

    Raises InputError, naming the file and the key, for an unknown name or an unusable table.
    """
    path = folder / f"{name}.json"
    data = _read(path, name)
    if "scaled_from" not in data:
        return validate(LatencyTable, data, str(path))
    scaled = validate(ScaledTable, data, str(path))
    base_path = folder / f"{scaled.scaled_from}.json"
    if not base_path.is_file():
        hint = suggest(scaled.scaled_from, _tables(folder))
        raise InputError(f"{path}: scaled_from: no table '{scaled.scaled_from}'; {hint}")
    base_data = _read(base_path, scaled.scaled_from)
    if "scaled_from" in base_data:
        raise InputError(f"{path}: scaled_from: '{scaled.scaled_from}' is itself scaled")
    base = validate(LatencyTable, base_data, str(base_path))
    return validate(LatencyTable, _scale(base, scaled), str(path))


def _scale(base: LatencyTable, scaled: ScaledTable) -> dict[str, Any]:
    """The times of `base` by the roofline of the module's docstring."""
    weights, kv = float(scaled.roofline.weights), float(scaled.roofline.kv)
    lines = [tabulated_line(base.itl, j) for j in range(len(base.itl.batch))]
    return {
        **base.model_dump(),
        "model": scaled.roofline.scaled.model,
        "tensor_parallel": scaled.roofline.scaled.gpus_per_worker,
        "provenance": scaled.provenance.model_dump(),
        "prefill": {
            "tokens": base.prefill.tokens,
            "seconds": [weights * seconds for seconds in base.prefill.seconds],
        },
        "itl": {
            "batch": base.itl.batch,
            "context": base.itl.context,
            "seconds": [
                [
                    weights * (value - slope * start) + kv * slope * context
                    for start, value, slope in lines
                ]
                for context in base.itl.context
            ],
        },
    }


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


def _tables(folder: Path) -> list[str]:
    return [path.stem for path in folder.glob("*.json")]


def _read(path: Path, name: str) -> dict[str, Any]:
    if not path.is_file():
        known = _tables(path.parent)
        raise InputError(f"{path}: unknown latency table '{name}'; {suggest(name, known)}")
    return read_yaml(path)  # YAML includes JSON
