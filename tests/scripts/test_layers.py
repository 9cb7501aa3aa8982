"""A small shard on a CPU, against plain PyTorch that knows nothing of it."""

import math

import pytest
from shard.shapes import MODELS, Model, tiny

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from shard import plain  # noqa: E402
from shard.layers import Cache, Shard, attend  # noqa: E402

CPU = torch.device("cpu")
ONE = torch.tensor(1.0)
KINDS = [tiny(MODELS["llama31-70b-fp8-tp4"]), tiny(MODELS["nemotron4-340b-fp8-tp8"])]
SAME, OTHER = 0.06, 0.1
"""Distances of logits, as shares of their length: most that rounding does, least that a fault does.

They are 0 but where an entry rounds to its neighbour, which makes 0.04 in so small a model.
"""


@pytest.fixture(params=KINDS, ids=["gated", "squared-relu"])
def model(request: pytest.FixtureRequest) -> Model:
    return request.param


def random(*size: int) -> torch.Tensor:
    torch.manual_seed(7)
    return torch.randn(size, dtype=torch.bfloat16)


def distance(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one.float() - other.float()).norm() / other.float().norm())


def decoded(shard: Shard, tokens: torch.Tensor, at: int | None = None) -> torch.Tensor:
    """Logits behind all tokens: the last of them in a step of its own, at its place or another."""
    prompts, length = tokens.shape
    cache = shard.random_cache(prompts, length + 1)
    shard.step(tokens[:, :-1], cache, 0)
    return shard.step(tokens[:, -1:], cache, length - 1 if at is None else at)[0]


def test_a_decode_step_behind_a_prefill_is_a_longer_prefill(model: Model) -> None:
    shard = Shard(model, plain, CPU)
    tokens = shard.random_tokens(3, 24)
    whole, choice = shard.step(tokens, shard.random_cache(3, 24), 0)
    assert distance(decoded(shard, tokens), whole) < SAME
    assert torch.equal(choice, whole.argmax(-1))
    assert (whole.shape, choice.shape) == ((3, model.shape.vocab), (3,))
    # And the test would see a token at a wrong place, or a prompt that is another's.
    assert distance(decoded(shard, tokens, at=22), whole) > OTHER
    assert distance(decoded(shard, tokens.flip(0)), whole) > OTHER


@pytest.mark.parametrize("cached", [1, 8, 16, 22])
def test_a_prefill_behind_cached_tokens_is_a_longer_prefill(model: Model, cached: int) -> None:
    shard = Shard(model, plain, CPU)
    tokens = shard.random_tokens(2, 24)
    whole, _ = shard.step(tokens, shard.random_cache(2, 24), 0)
    cache = shard.random_cache(2, 24)
    shard.step(tokens[:, :cached], cache, 0)
    behind, _ = shard.step(tokens[:, cached:], cache, cached)
    assert distance(behind, whole) < SAME


def test_a_prompt_sees_nothing_of_another(model: Model) -> None:
    shard = Shard(model, plain, CPU)
    tokens = shard.random_tokens(3, 16)
    together, _ = shard.step(tokens, shard.random_cache(3, 16), 0)
    alone, _ = shard.step(tokens[1:2], shard.random_cache(1, 16), 0)
    assert distance(alone[0], together[1]) < SAME


def test_every_layer_and_the_head_have_weights_of_their_own(model: Model) -> None:
    """Else a cache could keep what a step should stream."""
    shard = Shard(model, plain, CPU)
    names = ("qkv", "out", "up", "down")
    matrices = [getattr(layer, name) for layer in shard.layers for name in names] + [shard.head]
    assert len({matrix.weights.data_ptr() for matrix in matrices}) == 4 * model.shape.layers + 1
    gains = [g for layer in shard.layers for g in (layer.attention_gain, layer.feed_forward_gain)]
    held = [matrix.weights for matrix in matrices] + gains
    assert sum(tensor.nbytes for tensor in held) == model.shape.weight_bytes
    assert {matrix.weights.dtype for matrix in matrices} == {torch.float8_e4m3fn}


def test_a_cache_has_the_bytes_of_its_tokens(model: Model) -> None:
    cache: Cache = Shard(model, plain, CPU).random_cache(3, 20)
    held = sum(tensor.nbytes for tensor in (*cache.keys, *cache.values))
    assert held == 3 * 20 * model.shape.kv_bytes_per_token


def test_activations_keep_their_size_through_a_matrix() -> None:
    """So that nothing saturates, and nothing vanishes, over a hundred layers."""
    shard = Shard(KINDS[0], plain, CPU)
    matrix = shard.layers[0].down
    rows = plain.quantise(random(200, 96), matrix.input_scale)
    out = plain.multiply(rows, matrix.weights, matrix.input_scale, matrix.scale)
    assert float(out.float().std()) == pytest.approx(1, rel=0.1)


def test_attention_is_the_softmax_of_scaled_products_with_what_came_before() -> None:
    prompts, q, kv, tokens, context, width = 2, 4, 2, 3, 7, 16
    queries = random(prompts * tokens, q * width)
    keys, values = random(2, prompts, kv, context, width)
    seen = attend(queries, keys, values).float().view(prompts, tokens, q, width)
    for prompt in range(prompts):
        for token in range(tokens):
            for head in range(q):
                before = slice(0, context - tokens + token + 1)
                key, value = (x[prompt, head // (q // kv), before].float() for x in (keys, values))
                query = queries.view(prompts, tokens, q, width)[prompt, token, head].float()
                right = torch.softmax(key @ query / math.sqrt(width), 0) @ value
                assert torch.allclose(seen[prompt, token, head], right, atol=0.02)


def test_the_norm_is_that_of_pytorch(model: Model) -> None:
    hidden, update, gain = random(5, 64), 3 * random(5, 64).flip(0), random(64)
    added = hidden + update
    norm = torch.nn.functional.layer_norm if model.centred else torch.nn.functional.rms_norm
    right = norm(added.float(), (64,), weight=gain.float(), eps=plain.EPSILON)
    ours = plain.normalise(hidden, update, gain, torch.tensor(0.05), model.centred)
    assert torch.equal(hidden, added)
    assert torch.allclose(ours.float() * 0.05, right, rtol=2**-4, atol=1e-3)


def test_rotary_positions_turn_pairs_as_complex_numbers(model: Model) -> None:
    """The distance to another position is all that a product of a query and a key sees."""
    shape, cached, tokens = model.shape, 5, 3
    turned = plain.turns(16, model.rotary, model.theta, CPU)
    qkv = random(2 * tokens, shape.matrices["qkv"][0])
    keys, values = (torch.zeros(2, shape.kv, 16, shape.hd, dtype=torch.bfloat16) for _ in range(2))
    queries = plain.rotate(qkv, turned, keys, values, cached, tokens)
    half = model.rotary // 2
    for row in range(2 * tokens):
        prompt, position = row // tokens, cached + row % tokens
        heads = qkv[row].float().view(-1, shape.hd)
        exponents = torch.arange(half) * -2 / model.rotary
        angles = position * torch.tensor(model.theta) ** exponents
        pairs = torch.complex(heads[:, :half], heads[:, half : 2 * half])
        pairs = pairs * torch.polar(torch.ones(half), angles)
        right = torch.cat([pairs.real, pairs.imag, heads[:, 2 * half :]], dim=-1)
        ours = queries[row].float().view(-1, shape.hd)
        assert torch.allclose(ours, right[: shape.q], rtol=0.01, atol=0.01)
        key = keys[prompt, :, position].float()
        assert torch.allclose(key, right[shape.q : -shape.kv], rtol=0.01, atol=0.01)
        assert torch.equal(values[prompt, :, position].float(), heads[-shape.kv :])
    assert not keys[:, :, :cached].any()
    assert not keys[:, :, cached + tokens :].any()


def test_activations_are_those_of_the_models() -> None:
    up = random(4, 64)
    gate, rest = up[:, :32].float(), up[:, 32:].float()
    scale = torch.tensor(0.01)
    gated = plain.activate(up, scale, gated=True).float() * 0.01
    assert torch.allclose(gated, gate / (1 + torch.exp(-gate)) * rest, rtol=2**-4, atol=1e-3)
    squared = plain.activate(up, scale, gated=False).float() * 0.01
    right = torch.where(up > 0, up.float() ** 2, 0.0).clamp(max=4.48)
    assert torch.allclose(squared, right, rtol=2**-4, atol=1e-3)


def test_fp8_rounds_to_the_nearest_and_saturates() -> None:
    values = torch.tensor([0.0, 1.0, 1.06, 1.07, -17.0, 448.0, 1e9, -1e9])
    rounded = plain.quantise(values, ONE).float().tolist()
    assert rounded == [0.0, 1.0, 1.0, 1.125, -16.0, 448.0, 448.0, -448.0]


def test_a_product_takes_both_scales() -> None:
    rows, weights = torch.full((2, 16), 2.0), torch.full((3, 16), 4.0)
    scales = torch.tensor(0.5), torch.tensor(0.25)
    found = plain.multiply(rows.to(plain.FP8), weights.to(plain.FP8), *scales)
    assert found.tolist() == [[16 * 2 * 4 * 0.5 * 0.25] * 3] * 2
