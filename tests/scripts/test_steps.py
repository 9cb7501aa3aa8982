"""Bytes and operations of a step."""

import pytest
from shard.measure import Memory
from shard.shapes import MODELS, Shape
from shard.steps import Step, operations, streamed_bytes

from tests.scripts.committed import SHARDS, model_of

SMALL = Shape(layers=3, d=16, q=2, kv=1, hd=8, ffn=32, gated=True, vocab=48, tp=1)


def test_operations_of_a_decode_step_by_hand() -> None:
    # A layer: 32 x 16 for queries, keys and values, 16 x 16 out, 64 x 16 up, 16 x 32 down.
    matrices = 512 + 256 + 1024 + 512
    # Each of 2 heads of 8 entries multiplies with 10 keys, then with 10 values.
    attention = 2 * (2 * 10 * 8) * 2
    head = 2 * 48 * 16
    per_prompt = 3 * (2 * matrices + attention) + head
    assert operations(SMALL, Step(prompts=5, tokens=1, cached=9)) == 5 * per_prompt


def test_operations_of_a_prefill_behind_cached_tokens_by_hand() -> None:
    # Three new tokens behind two attend to 3, 4 and 5; the head sees the last token alone.
    matrices = 3 * 3 * 2 * (512 + 256 + 1024 + 512)
    attention = 3 * (3 + 4 + 5) * 2 * 2 * 2 * 8
    assert operations(SMALL, Step(1, 3, 2)) == matrices + attention + 2 * 48 * 16


@pytest.mark.parametrize("new", [1, 7, 128])
def test_a_prefill_costs_what_its_tokens_cost_one_by_one_but_for_the_head(new: int) -> None:
    steps = sum(operations(SMALL, Step(4, 1, 5 + token)) for token in range(new))
    heads = (new - 1) * 4 * 2 * 48 * 16
    assert operations(SMALL, Step(4, new, 5)) == steps - heads


def test_bytes_of_a_decode_step_of_the_70b() -> None:
    step = Step(prompts=64, tokens=1, cached=255)
    assert (
        streamed_bytes(MODELS["llama31-70b-fp8-tp4"].shape, step) == 17378050048 + 64 * 256 * 81920
    )


def test_a_decode_step_at_a_context_includes_its_own_token() -> None:
    step = Step(prompts=2, tokens=1, cached=127)
    assert (step.context, step.new) == (128, 2)


def test_the_floor_is_the_time_to_stream_what_no_cache_has_kept() -> None:
    memory = Memory(bandwidth=4e12, cache=50e6)
    floor = memory.floor_ms(MODELS["llama31-70b-fp8-tp4"].shape, Step(1, 1, 127))
    assert floor == pytest.approx((17378050048 + 128 * 81920 - 50e6) / 4e9)
    assert Memory(4e12, cache=1e9).floor_ms(SMALL, Step(1, 1, 0)) == 0


@pytest.mark.parametrize("stem", SHARDS)
def test_no_committed_cell_beats_its_floor(stem: str) -> None:
    """Nor is it far from it: 0.20 to 0.90 of a decode step is the time that its bytes take."""
    shard, shape = SHARDS[stem], MODELS[model_of(stem)].shape
    memory = Memory(shard.copy_tb_s * 1e12, cache=50e6)
    steps = [(Step(c.batch, 1, c.context - 1), c.min) for c in shard.decode]
    shares = [memory.floor_ms(shape, step) / ms for step, ms in steps]
    assert min(shares) > 0.15
    assert max(shares) < 0.95
    for cell in shard.prefill:
        step = Step(cell.prompts, cell.tokens, cell.cached)
        assert memory.floor_ms(shape, step) < cell.min
