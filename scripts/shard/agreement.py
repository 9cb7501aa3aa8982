"""Hold the Triton kernels against plain PyTorch, before anything is measured with them."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from anarchy.common.errors import InputError
from shard.layers import INPUT_MOST, Kernels, Shard
from shard.plain import FP8, FP8_MOST, turns
from shard.shapes import Model, tiny

MOST_OTHER = 0.02
"""Share of entries that may round to a neighbour, because sums are taken in another order."""

STEPS = {FP8: (2**-3, 2**-9), torch.bfloat16: (2**-7, 2**-10)}
"""Distance to a neighbour, as a share and at least, of the types that kernels write."""

MOST_ERROR = 0.2
"""Distance of two vectors of logits, as a share of their length, that rounding may cause.

An entry of a small model that rounds to its neighbour causes 0.04, unrelated logits are 1.4 apart.
"""

PROMPTS, TOKENS, CACHED, CAPACITY = 2, 3, 5, 11
ROWS = PROMPTS * TOKENS


def check_kernels(plain: Kernels, kernels: Kernels, model: Model, device: torch.device) -> None:
    """Run each kernel on rows of the model's width, and a small model's steps, both ways.

    Raises InputError where they differ.
    """
    differing = [
        name
        for name, call in _calls(model, device)
        if not all(same(a, b) for a, b in zip(call(kernels), call(plain), strict=True))
    ]
    if not differing and step_error(plain, kernels, tiny(model), device) > MOST_ERROR:
        differing = ["step"]
    if differing:
        raise InputError(
            f"{model.name}: the Triton kernels and plain PyTorch disagree in "
            f"{', '.join(differing)}: nothing was measured; allowed: a version of both that agrees"
        )


def step_error(plain: Kernels, kernels: Kernels, model: Model, device: torch.device) -> float:
    """Distance of the kernels' logits from plain ones, as a share of their length; the larger one.

    Plain PyTorch takes the prompts in at once. The kernels do it in three steps, so that keys and
    values of each kind of step are read by the next.
    """
    ours, right = (Shard(model, ops, device) for ops in (kernels, plain))
    tokens = ours.random_tokens(PROMPTS, CACHED + TOKENS + 1)
    cache = ours.random_cache(PROMPTS, CAPACITY)
    start = 0
    errors = []
    for end in (CACHED, CACHED + TOKENS, CACHED + TOKENS + 1):
        found, _ = ours.step(tokens[:, start:end], cache, start)
        wanted, _ = right.step(tokens[:, :end], right.random_cache(PROMPTS, end), 0)
        errors.append(float((found.float() - wanted.float()).norm() / wanted.float().norm()))
        start = end
    return max(errors)


def same(ours: Tensor, right: Tensor) -> bool:
    """Whether entries are equal, but for few that are neighbours."""
    share, least = STEPS[right.dtype]
    a, b = ours.float(), right.float()
    near = (a - b).abs() <= share * b.abs() + least
    return bool(near.all()) and float((a != b).float().mean()) <= MOST_OTHER


def _calls(
    model: Model, device: torch.device
) -> Iterator[tuple[str, Callable[[Kernels], list[Tensor]]]]:
    """Each kernel by name, as a function of the module that has it; all that it writes."""
    shape = model.shape
    scale = torch.tensor(INPUT_MOST / FP8_MOST, device=device)

    def random(*size: int) -> Tensor:
        return 2 * torch.randn(size, dtype=torch.bfloat16, device=device)

    hidden, update, gain = random(ROWS, shape.d), random(ROWS, shape.d), random(shape.d)
    qkv, up = (random(ROWS, shape.matrices[name][0]) for name in ("qkv", "up"))
    cache = random(PROMPTS, shape.kv, CAPACITY, shape.hd)
    turned = turns(CAPACITY, model.rotary, model.theta, device)

    def normalise(ops: Kernels, update: Tensor | None) -> list[Tensor]:
        state = hidden.clone()
        return [ops.normalise(state, update, gain, scale, model.centred), state]

    def rotate(ops: Kernels) -> list[Tensor]:
        keys, values = cache.clone(), cache.clone()
        return [ops.rotate(qkv, turned, keys, values, CACHED, TOKENS), keys, values]

    yield "quantise", lambda ops: [ops.quantise(hidden, scale)]
    yield "normalise", lambda ops: normalise(ops, None)
    yield "normalise", lambda ops: normalise(ops, update)
    yield "rotate", rotate
    yield "activate", lambda ops: [ops.activate(up, scale, shape.gated)]
