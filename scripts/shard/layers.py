"""The shard itself: random weights, every layer its own, and one step through all layers."""

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention

from shard.plain import FP8, FP8_MOST, Turns, turns
from shard.shapes import Model

INPUT_MOST = 16.0
"""What the FP8 inputs of all matrices saturate at; a calibration would find the like of it."""

POSITIONS = 16384
"""Longest context."""

BACKENDS = {
    "cuda": [SDPBackend.FLASH_ATTENTION],
    "cpu": [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH],
}
"""FlashAttention or an error on a GPU: never what copies the keys for all heads that share them."""


class Kernels(Protocol):
    """What `plain` and `kernels` have."""

    def multiply(
        self, rows: Tensor, weights: Tensor, row_scale: Tensor, weight_scale: Tensor
    ) -> Tensor: ...

    def quantise(self, values: Tensor, scale: Tensor) -> Tensor: ...

    def normalise(
        self, hidden: Tensor, update: Tensor | None, gain: Tensor, scale: Tensor, centred: bool
    ) -> Tensor: ...

    def rotate(
        self,
        qkv: Tensor,
        turned: Turns,
        keys: Tensor,
        values: Tensor,
        cached: int,
        tokens: int,
    ) -> Tensor: ...

    def activate(self, up: Tensor, scale: Tensor, gated: bool) -> Tensor: ...


class Matrix:
    """A random matrix in FP8 with one scale for its weights and one for its inputs."""

    def __init__(self, outputs: int, inputs: int, device: torch.device):
        weights = torch.randn(outputs, inputs, dtype=torch.bfloat16, device=device)
        largest = weights.abs().max().float() / FP8_MOST
        self.weights = (weights / largest).to(FP8)
        self.scale = largest / math.sqrt(inputs)  # outputs are as large as inputs
        self.input_scale = torch.tensor(INPUT_MOST / FP8_MOST, device=device)


class Layer:
    """Weights of one layer."""

    def __init__(self, model: Model, device: torch.device):
        matrices = {
            name: Matrix(outputs, inputs, device)
            for name, (outputs, inputs) in model.shape.matrices.items()
        }
        self.qkv, self.out = matrices["qkv"], matrices["out"]
        self.up, self.down = matrices["up"], matrices["down"]
        self.attention_gain, self.feed_forward_gain = (random_gain(model, device) for _ in range(2))


@dataclass(frozen=True)
class Cache:
    """Keys and values, one tensor a layer: (prompts, KV heads, capacity, width of a head), bf16."""

    keys: list[Tensor]
    values: list[Tensor]


class Shard:
    """One GPU's part of a model. `kernels` is the module that normalises, turns and activates."""

    def __init__(self, model: Model, kernels: Kernels, device: torch.device, seed: int = 0):
        torch.manual_seed(seed)
        shape = model.shape
        self.model, self.kernels, self.device = model, kernels, device
        self.turns = turns(POSITIONS, model.rotary, model.theta, device)
        self.embedding = torch.randn(shape.vocab, shape.d, dtype=torch.bfloat16, device=device)
        self.layers = [Layer(model, device) for _ in range(shape.layers)]
        self.gain = random_gain(model, device)
        self.head = Matrix(shape.vocab, shape.d, device)

    def random_tokens(self, prompts: int, tokens: int) -> Tensor:
        """Token ids: (prompts, tokens)."""
        return torch.randint(self.model.shape.vocab, (prompts, tokens), device=self.device)

    def random_cache(self, prompts: int, capacity: int) -> Cache:
        """A cache with something in every place."""
        shape = self.model.shape
        size = (prompts, shape.kv, capacity, shape.hd)

        def filled() -> list[Tensor]:
            empty = (
                torch.empty(size, dtype=torch.bfloat16, device=self.device)
                for _ in range(shape.layers)
            )
            return [tensor.normal_() for tensor in empty]

        return Cache(filled(), filled())

    def step(self, tokens: Tensor, cache: Cache, cached: int) -> tuple[Tensor, Tensor]:
        """Take in (prompts, tokens) new tokens behind `cached` ones, whose keys the cache has.

        Returns the logits of the next token, (prompts, vocab), and its greedy choice, (prompts,).
        """
        hidden = self.embedding[tokens.flatten()]
        update = None
        for layer, keys, values in zip(self.layers, cache.keys, cache.values, strict=True):
            qkv = self._project_norm(hidden, update, layer.attention_gain, layer.qkv)
            update = self._attention(layer, qkv, keys, values, cached, tokens.shape[1])
            up = self._project_norm(hidden, update, layer.feed_forward_gain, layer.up)
            scale = layer.down.input_scale
            rows = self.kernels.activate(up, scale, self.model.shape.gated)
            update = self._project(rows, layer.down)
        last, update = (
            each.view(*tokens.shape, -1)[:, -1].contiguous() for each in (hidden, update)
        )
        logits = self._project_norm(last, update, self.gain, self.head)
        return logits, logits.argmax(-1)

    def _attention(
        self, layer: Layer, qkv: Tensor, keys: Tensor, values: Tensor, cached: int, tokens: int
    ) -> Tensor:
        """What attention adds to the hidden state; the new keys and values are in the cache."""
        queries = self.kernels.rotate(qkv, self.turns, keys, values, cached, tokens)
        end = cached + tokens
        seen = attend(queries, keys[:, :, :end], values[:, :, :end])
        rows = self.kernels.quantise(seen, layer.out.input_scale)
        return self._project(rows, layer.out)

    def _project_norm(
        self, hidden: Tensor, update: Tensor | None, gain: Tensor, matrix: Matrix
    ) -> Tensor:
        """Add the update to the hidden state, in place; the matrix times its norm."""
        scale, centred = matrix.input_scale, self.model.centred
        return self._project(self.kernels.normalise(hidden, update, gain, scale, centred), matrix)

    def _project(self, rows: Tensor, matrix: Matrix) -> Tensor:
        return self.kernels.multiply(rows, matrix.weights, matrix.input_scale, matrix.scale)


def random_gain(model: Model, device: torch.device) -> Tensor:
    """Gain of a norm, around 1."""
    return 1 + 0.1 * torch.randn(model.shape.d, dtype=torch.bfloat16, device=device)


def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Causal attention of the last tokens of a context to all of it.

    Queries: (prompts x tokens, q x width); keys and values: (prompts, kv, context, width). Returns
    rows like the queries.
    """
    prompts, _, context, width = keys.shape
    heads = queries.view(prompts, -1, queries.shape[1] // width, width).transpose(1, 2)
    tokens = heads.shape[2]
    mask = None if tokens == 1 else causal_lower_right(tokens, context)
    with sdpa_kernel(BACKENDS[queries.device.type]):
        seen = scaled_dot_product_attention(heads, keys, values, attn_mask=mask, enable_gqa=True)
    return seen.transpose(1, 2).reshape(queries.shape)
