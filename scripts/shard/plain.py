"""What the Triton kernels compute, in plain PyTorch: for a CPU, and to hold the kernels against.

`kernels` has the same functions. Rows are tokens. What a matrix takes is FP8 (E4M3): a value
divided by `scale`, a tensor of one number.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

FP8 = torch.float8_e4m3fn
FP8_MOST = 448.0
"""Largest number of E4M3; what is beyond it saturates."""

EPSILON = 1e-5


@dataclass(frozen=True)
class Turns:
    """Cosines and sines of rotary positions, float32: (positions, half the turned entries)."""

    cosines: Tensor
    sines: Tensor


def turns(positions: int, rotary: int, theta: float, device: torch.device) -> Turns:
    """Angles of each position for the first `rotary` entries of a head."""
    frequencies = theta ** -(
        torch.arange(0, rotary, 2, device=device, dtype=torch.float32) / rotary
    )
    angles = torch.outer(torch.arange(positions, device=device, dtype=torch.float32), frequencies)
    return Turns(angles.cos(), angles.sin())


def quantise(values: Tensor, scale: Tensor) -> Tensor:
    """Values as FP8, in the same shape."""
    return (values.float() / scale).clamp(-FP8_MOST, FP8_MOST).to(FP8)


def multiply(rows: Tensor, weights: Tensor, row_scale: Tensor, weight_scale: Tensor) -> Tensor:
    """Product of FP8 rows and an FP8 matrix (outputs, inputs), in bf16."""
    product = rows.float() @ weights.float().t()
    return (product * row_scale * weight_scale).to(torch.bfloat16)


def normalise(
    hidden: Tensor, update: Tensor | None, gain: Tensor, scale: Tensor, centred: bool
) -> Tensor:
    """Add the update to the hidden state in place; its norm (LayerNorm if centred, or RMSNorm)."""
    if update is not None:
        hidden += update
    values = hidden.float()
    if centred:
        values = values - values.mean(-1, keepdim=True)
    length = torch.rsqrt(values.square().mean(-1, keepdim=True) + EPSILON)
    return quantise(values * length * gain.float(), scale)


def rotate(
    qkv: Tensor, turned: Turns, keys: Tensor, values: Tensor, cached: int, tokens: int
) -> Tensor:
    """Turn queries and keys by their positions; write keys and values to the cache.

    `qkv`: (prompts x tokens, (q + 2 kv) x width); the cache: (prompts, kv, capacity, width), of
    which `cached` positions are taken. Returns the queries: (prompts x tokens, q x width).
    """
    prompts, kv, _, width = keys.shape
    heads = qkv.view(prompts, tokens, -1, width).transpose(1, 2)
    here = slice(cached, cached + tokens)
    cosines, sines = turned.cosines[here], turned.sines[here]
    half = cosines.shape[1]
    first, second, rest = heads[:, :-kv].float().split([half, half, width - 2 * half], dim=-1)
    moved = torch.cat(
        [first * cosines - second * sines, second * cosines + first * sines, rest], dim=-1
    ).to(qkv.dtype)
    queries, new_keys = moved[:, :-kv], moved[:, -kv:]
    keys[:, :, here], values[:, :, here] = new_keys, heads[:, -kv:]
    return queries.transpose(1, 2).reshape(qkv.shape[0], -1)


def activate(up: Tensor, scale: Tensor, gated: bool) -> Tensor:
    """SiLU of the gate (the first half) times the rest, or the square of what is positive."""
    if not gated:
        return quantise(up.float().relu().square(), scale)
    gate, rest = up.float().chunk(2, dim=-1)
    return quantise(torch.nn.functional.silu(gate) * rest, scale)
