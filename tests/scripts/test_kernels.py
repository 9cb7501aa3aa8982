"""The Triton kernels in Triton's interpreter, which runs them on a CPU, against plain PyTorch."""

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from shard.shapes import MODELS, Model, tiny

from anarchy.common.errors import InputError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
triton = pytest.importorskip("triton", reason="Triton is not installed")
np = pytest.importorskip("numpy", reason="Triton's interpreter needs NumPy")

from shard import layers, plain  # noqa: E402
from shard.agreement import MOST_ERROR, check_kernels, same, step_error  # noqa: E402
from torch.nn.attention.bias import causal_upper_left  # noqa: E402

CPU = torch.device("cpu")


def rounded(bits: Any, given: Any, wanted: Any, _mode: Any) -> Any:
    """Convert between float types as a GPU does.

    The interpreter of Triton 3 cuts bf16 off, and loses the carry when FP8 is rounded up to a power
    of two.
    """
    types = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp8e4nv": torch.float8_e4m3fn}
    integers = {8: torch.uint8, 16: torch.int16, 32: torch.int32}
    read = np.frombuffer(
        bits.tobytes(), dtype=f"i{given.primitive_bitwidth // 8}".replace("i1", "u1")
    )
    floats = torch.from_numpy(read.copy()).view(types[str(given)]).to(types[str(wanted)])
    found = floats.view(integers[wanted.primitive_bitwidth]).numpy()
    return found.view(f"u{wanted.primitive_bitwidth // 8}").reshape(bits.shape)


@pytest.fixture(scope="module")
def kernels() -> Iterator[ModuleType]:
    """The kernels as the interpreter runs them."""
    with pytest.MonkeyPatch.context() as patch:
        interpreter = importlib.import_module("triton.runtime.interpreter")
        patch.setattr(interpreter, "_convert_float", rounded)
        yield importlib.import_module("shard.kernels")


@pytest.mark.parametrize("stem", ["llama31-70b-fp8-tp4", "nemotron4-340b-fp8-tp8"])
def test_the_kernels_agree_with_plain_pytorch(stem: str, kernels: ModuleType) -> None:
    check_kernels(plain, kernels, tiny(MODELS[stem]), CPU)


def test_a_row_that_is_no_power_of_two_is_taken_whole(kernels: ModuleType) -> None:
    rows = torch.randn(3, 2500, dtype=torch.bfloat16)
    scale = torch.tensor(0.05)
    for name, options in (("quantise", ()), ("activate", (True,)), ("activate", (False,))):
        ours, right = (getattr(ops, name)(rows, scale, *options) for ops in (kernels, plain))
        assert same(ours, right), name


class Faulty:
    """`plain`, but for one function."""

    def __init__(self, **faults: Any) -> None:
        self.__dict__.update(faults)

    def __getattr__(self, name: str) -> Any:
        return getattr(plain, name)


def forgets_the_mean(hidden, update, gain, scale, centred):
    return plain.normalise(hidden, update, gain, scale, False)


def turns_at_the_wrong_place(qkv, turned, keys, values, cached, tokens):
    return plain.rotate(qkv, turned, keys, values, cached + 1, tokens)


def forgets_the_scale(rows, weights, row_scale, weight_scale):
    return plain.multiply(rows, weights, row_scale, 1.5 * weight_scale)


@pytest.mark.parametrize(
    ("faults", "named"),
    [
        ({"normalise": forgets_the_mean}, "normalise"),
        ({"rotate": turns_at_the_wrong_place}, "rotate"),
        ({"activate": lambda up, scale, gated: plain.quantise(up, scale)}, "activate"),
        ({"quantise": lambda values, scale: plain.quantise(values, 1.1 * scale)}, "quantise"),
        ({"multiply": forgets_the_scale}, "step"),
    ],
)
def test_kernels_that_disagree_are_refused_by_name(faults: dict[str, Any], named: str) -> None:
    model: Model = tiny(MODELS["nemotron4-340b-fp8-tp8"])
    check_kernels(plain, Faulty(), model, CPU)
    with pytest.raises(InputError, match=rf"disagree in [\w, ]*{named}[\w, ]*: nothing was"):
        check_kernels(plain, Faulty(**faults), model, CPU)


def test_the_products_of_cublas_are_called_as_pytorch_wants_them(kernels: ModuleType) -> None:
    """A CPU has the same function; its result is that of plain PyTorch."""
    scales = torch.tensor(0.1), torch.tensor(0.2)
    rows, weights = (
        plain.quantise(torch.randn(n, 32), s) for n, s in ((3, scales[0]), (48, scales[1]))
    )
    try:
        ours = kernels.multiply(rows, weights, *scales)
    except (RuntimeError, NotImplementedError) as fault:
        pytest.skip(f"this PyTorch has no FP8 products on a CPU: {fault}")
    assert torch.allclose(ours.float(), plain.multiply(rows, weights, *scales).float(), rtol=0.02)


@pytest.mark.parametrize("stem", ["llama31-70b-fp8-tp4", "nemotron4-340b-fp8-tp8"])
def test_steps_agree_however_the_prompt_is_cut(stem: str, kernels: ModuleType) -> None:
    assert step_error(plain, kernels, tiny(MODELS[stem]), CPU) < 0.06


def test_a_mask_that_counts_from_the_wrong_end_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """PyTorch's `is_causal` would let the new tokens see the first ones of the cache alone."""
    monkeypatch.setattr(layers, "causal_lower_right", causal_upper_left)
    model = tiny(MODELS["llama31-70b-fp8-tp4"])
    assert step_error(plain, plain, model, CPU) > 2 * MOST_ERROR
