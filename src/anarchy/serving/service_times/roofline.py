"""Service times of a model that no table exists for, scaled from those of another.

A file may name another table and the shapes of both models instead of holding times. By the
roofline, one worker being g GPUs:

* prefill does 2 P N / g operations per GPU for N tokens and P parameters, so it is multiplied by
  w = (P'/g') / (P/g);
* a decode step reads P/g bytes of FP8 weights and does 2 P B / g operations per GPU, whatever the
  context, so the ITL at context 0 is multiplied by the same w;
* it also reads the KV cache, 2 * layers * KV heads * head dimension / g bytes of FP8 per GPU and
  token of context, so the slope of the ITL in the context is multiplied by
  k = (layers' * heads' * dim' / g') / (layers * heads * dim / g), and so is what prefill takes for
  cached tokens.

Neglected: kernel launches and all-reduces, which do not grow with w and depend on g (the scaled
times are too long at small batches); attention's share of prefill, which grows with layers and
width instead of P (too long for prompts far beyond 10,000 tokens).
"""

from fractions import Fraction
from typing import Annotated, Any

from pydantic import Field

from anarchy.config.base import Count, Model, Name, Prose, Title, Whole
from anarchy.serving.service_times.provenance import Derivation
from anarchy.serving.service_times.table import LatencyTable, tabulated_line, with_times


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
    provenance: Derivation
    roofline: Roofline


def scale(base: LatencyTable, scaled: ScaledTable) -> dict[str, Any]:
    """The times of `base` by the roofline of the module's docstring, as data of a table."""
    roofline = scaled.roofline
    weights, kv = float(roofline.weights), float(roofline.kv)
    lines = [tabulated_line(base.itl, j) for j in range(len(base.itl.batch))]
    data = with_times(base, lambda step: weights * step, lambda cached: kv * cached).model_dump()
    data["itl"]["seconds"] = [
        [weights * (value - slope * start) + kv * slope * context for start, value, slope in lines]
        for context in base.itl.context
    ]
    per_layer = Fraction(base.all_reduces, roofline.tabulated.layers)
    return {
        **data,
        "model": roofline.scaled.model,
        "tensor_parallel": roofline.scaled.gpus_per_worker,
        "provenance": scaled.provenance.model_dump(),
        "all_reduces": round(per_layer * roofline.scaled.layers),
    }
