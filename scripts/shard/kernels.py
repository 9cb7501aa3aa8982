"""What a GPU runs: cuBLASLt's FP8 products and fused Triton kernels.

`plain` says what they compute, under the same names.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from shard.plain import EPSILON, FP8, FP8_MOST, Turns

MOST = tl.constexpr(FP8_MOST)
LANES = 1024
"""Entries that one program of an elementwise kernel takes."""


def multiply(rows: Tensor, weights: Tensor, row_scale: Tensor, weight_scale: Tensor) -> Tensor:
    return torch._scaled_mm(
        rows,
        weights.t(),
        scale_a=row_scale,
        scale_b=weight_scale,
        out_dtype=torch.bfloat16,
        use_fast_accum=True,
    )


@triton.jit
def _fp8(values, scale):
    """Saturate, then round to the nearest."""
    scaled = tl.minimum(tl.maximum(values / tl.load(scale), -MOST), MOST)
    return scaled.to(tl.float8e4nv)


@triton.jit
def _quantise(values, scale, result, size, LANES: tl.constexpr):
    place = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    inside = place < size
    read = tl.load(values + place, mask=inside, other=0.0).to(tl.float32)
    tl.store(result + place, _fp8(read, scale), mask=inside)


def quantise(values: Tensor, scale: Tensor) -> Tensor:
    result = torch.empty_like(values, dtype=FP8)
    size = values.numel()
    _quantise[(triton.cdiv(size, LANES),)](values, scale, result, size, LANES=LANES)
    return result


@triton.jit
def _normalise(
    hidden,
    update,
    gain,
    scale,
    result,
    width,
    epsilon,
    UPDATED: tl.constexpr,
    CENTRED: tl.constexpr,
    LANES: tl.constexpr,
):
    """A row a program. The sum is rounded to the hidden state's type before its norm is taken."""
    place = tl.arange(0, LANES)
    inside = place < width
    row = tl.program_id(0).to(tl.int64) * width
    values = tl.load(hidden + row + place, mask=inside, other=0.0)
    if UPDATED:
        added = tl.load(update + row + place, mask=inside, other=0.0)
        values = (values.to(tl.float32) + added.to(tl.float32)).to(values.dtype)
        tl.store(hidden + row + place, values, mask=inside)
    values = values.to(tl.float32)
    if CENTRED:
        values = tl.where(inside, values - tl.sum(values, axis=0) / width, 0.0)
    length = tl.rsqrt(tl.sum(values * values, axis=0) / width + epsilon)
    gains = tl.load(gain + place, mask=inside, other=0.0).to(tl.float32)
    tl.store(result + row + place, _fp8(values * length * gains, scale), mask=inside)


def normalise(
    hidden: Tensor, update: Tensor | None, gain: Tensor, scale: Tensor, centred: bool
) -> Tensor:
    rows, width = hidden.shape
    result = torch.empty_like(hidden, dtype=FP8)
    lanes = triton.next_power_of_2(width)
    _normalise[(rows,)](
        hidden,
        hidden if update is None else update,
        gain,
        scale,
        result,
        width,
        EPSILON,
        UPDATED=update is not None,
        CENTRED=centred,
        LANES=lanes,
        num_warps=min(32, max(4, lanes // 1024)),
    )
    return result


@triton.jit
def _rotate(
    qkv,
    cosines,
    sines,
    queries,
    keys,
    values,
    cached,
    tokens,
    capacity,
    Q: tl.constexpr,
    KV: tl.constexpr,
    WIDTH: tl.constexpr,
    HALF: tl.constexpr,
    LANES: tl.constexpr,
):
    """A head of a token a program: a query, a key, or a value, which is only copied."""
    row = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    prompt, position = row // tokens, cached + row % tokens
    place = tl.arange(0, LANES)
    inside = place < WIDTH
    source = qkv + (row * (Q + 2 * KV) + head) * WIDTH
    read = tl.load(source + place, mask=inside, other=0.0)
    if head < Q + KV:
        turned = place < 2 * HALF
        partner = tl.where(place < HALF, place + HALF, place - HALF)
        other = tl.load(source + partner, mask=turned, other=0.0).to(tl.float32)
        angle = position * HALF + place % HALF
        cosine = tl.load(cosines + angle, mask=turned, other=1.0)
        sine = tl.load(sines + angle, mask=turned, other=0.0)
        sign = tl.where(place < HALF, -1.0, 1.0)
        read = (read.to(tl.float32) * cosine + sign * other * sine).to(read.dtype)
    if head < Q:
        tl.store(queries + (row * Q + head) * WIDTH + place, read, mask=inside)
    else:
        entry = ((prompt * KV + (head - Q) % KV) * capacity + position) * WIDTH
        if head < Q + KV:
            tl.store(keys + entry + place, read, mask=inside)
        else:
            tl.store(values + entry + place, read, mask=inside)


def rotate(
    qkv: Tensor, turned: Turns, keys: Tensor, values: Tensor, cached: int, tokens: int
) -> Tensor:
    _, kv, capacity, width = keys.shape
    rows = qkv.shape[0]
    heads = qkv.shape[1] // width
    q = heads - 2 * kv
    queries = torch.empty((rows, q * width), dtype=qkv.dtype, device=qkv.device)
    _rotate[(rows, heads)](
        qkv,
        turned.cosines,
        turned.sines,
        queries,
        keys,
        values,
        cached,
        tokens,
        capacity,
        Q=q,
        KV=kv,
        WIDTH=width,
        HALF=turned.cosines.shape[1],
        LANES=triton.next_power_of_2(width),
        num_warps=1,
    )
    return queries


@triton.jit
def _activate(up, scale, result, width, GATED: tl.constexpr, LANES: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    place = tl.program_id(1) * LANES + tl.arange(0, LANES)
    inside = place < width
    if GATED:
        gate = tl.load(up + 2 * row * width + place, mask=inside, other=0.0).to(tl.float32)
        rest = tl.load(up + (2 * row + 1) * width + place, mask=inside, other=0.0).to(tl.float32)
        values = gate * tl.sigmoid(gate) * rest
    else:
        positive = tl.load(up + row * width + place, mask=inside, other=0.0).to(tl.float32)
        positive = tl.maximum(positive, 0.0)
        values = positive * positive
    tl.store(result + row * width + place, _fp8(values, scale), mask=inside)


def activate(up: Tensor, scale: Tensor, gated: bool) -> Tensor:
    rows, width = up.shape
    if gated:
        width //= 2
    result = torch.empty((rows, width), dtype=FP8, device=up.device)
    grid = (rows, triton.cdiv(width, LANES))
    _activate[grid](up, scale, result, width, GATED=gated, LANES=LANES)
    return result
