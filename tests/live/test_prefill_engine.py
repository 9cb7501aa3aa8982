"""The live prefill worker keeps the time of the simulated one."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.config.engine import Prefill, PrefixCache
from anarchy.live.clock import Clock
from anarchy.live.prefill_engine import BlockCache, PrefillEngine, Prompt
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.plain.prefill import PrefillWorker
from anarchy.serving.service_times.lookup import Latency, load_latency
from tests.live.made_up_time import arrivals, beside, run, sleep_until

LATENCY = load_latency(paths.ROOT / paths.LATENCY, "llama31-70b-fp8-tp4-b200-trtllm")
MEASURED = load_latency(paths.ROOT / paths.LATENCY, "llama31-70b-fp8-tp4-h200-measured")
FIXED = load_latency(paths.ROOT / paths.LATENCY, "fixed-100ms-8ms")
CACHE = PrefixCache(block_tokens=16)
ROUNDING = 1e-9

Arrival = tuple[float, int, list[int]]
"""When a prompt comes, its tokens and its blocks."""


def prefilled(
    prompts: Sequence[Arrival],
    limits: Prefill,
    latency: Latency = LATENCY,
    dilation: float = 1.0,
    cache: PrefixCache = CACHE,
) -> tuple[list[float], list[tuple[int, int, list[int]]]]:
    """When the step of each prompt was over; of each step's end the prompt's length, the blocks
    that it had cached and those that it evicted."""
    heard: list[tuple[int, int, list[int]]] = []

    def hear(prompt: Prompt, evicted: list[int]) -> None:
        heard.append((len(prompt.token_ids), prompt.cached_blocks, evicted))

    async def ask(engine: PrefillEngine, arrival: Arrival) -> float:
        at, tokens, blocks = arrival
        await sleep_until(at * dilation)
        return await engine.prefill(range(tokens), blocks)

    async def main() -> list[float]:
        engine = PrefillEngine(limits, latency, cache, dilation, Clock(), hear)
        return await beside(engine.run(), [ask(engine, arrival) for arrival in prompts])

    return run(main()), heard


def simulated(prompts: Sequence[Arrival], limits: Prefill, latency: Latency) -> list[float]:
    """The same by the simulator's worker, without a cache."""
    events = EventQueue()
    worker = PrefillWorker(0, events, limits, latency, None, 16, lambda n: n, lambda request: None)
    requests = []
    for at, tokens, _ in prompts:
        request = Request(0, tokens, 1, (), 1)
        request.callbacks = (worker.submit,)
        events.at(at, request)
        requests.append(request)
    events.run()
    return [request.prefill_end for request in requests]


def test_a_case_by_hand() -> None:
    """Steps of 100 ms, one prompt each; the fourth finds the worker idle."""
    prompts = [(0.0, 32, []), (0.03, 32, []), (0.05, 32, []), (0.45, 32, [])]
    ends, _ = prefilled(prompts, Prefill(), FIXED)
    assert ends == pytest.approx([0.1, 0.2, 0.3, 0.55])


def test_all_times_are_dilated() -> None:
    ends, _ = prefilled([(0.0, 32, []), (0.03, 32, [])], Prefill(), FIXED, dilation=4)
    assert ends == pytest.approx([0.4, 0.8])


@given(
    times=arrivals,
    latency=st.sampled_from([LATENCY, MEASURED]),
    data=st.data(),
    limits=st.builds(
        Prefill, batch_requests=st.integers(1, 4), batch_tokens=st.sampled_from([256, 8192])
    ),
)
def test_it_equals_the_simulated_worker(
    times: list[float], limits: Prefill, latency: Latency, data: st.DataObject
) -> None:
    lengths = st.sampled_from([1, 128, 900, 9000])
    prompts: list[Arrival] = [(time / 10, data.draw(lengths), []) for time in times]
    ends, _ = prefilled(prompts, limits, latency)
    assert ends == pytest.approx(simulated(prompts, limits, latency), abs=ROUNDING)


def test_what_is_cached_is_not_computed_again() -> None:
    """Held from the end of the step; at least one token is computed."""
    blocks = list(range(128))
    prompts = [(0.0, 2048, blocks), (0.001, 2048, blocks), (9.0, 2080, [*blocks, 900, 901])]
    ends, heard = prefilled(prompts, Prefill())
    whole, one, rest = (LATENCY.prefill(tokens) for tokens in (2048, 1, 32))
    assert ends == pytest.approx([whole, whole + one, 9.0 + rest])
    assert heard == [(2048, 0, []), (2048, 128, []), (2080, 128, [])]


def test_where_whole_blocks_are_taken_the_last_one_is_computed() -> None:
    """Of 2,048 tokens in 128 cached blocks 16 are computed, those of the last block."""
    blocks = list(range(128))
    whole = PrefixCache(block_tokens=16, whole_blocks=True)
    step = MEASURED.prefill
    ends, _ = prefilled(
        [(0.0, 2048, blocks), (0.001, 2048, blocks)], Prefill(), MEASURED, cache=whole
    )
    assert ends == pytest.approx([step(2048), step(2048) + step(16, 1, 2032)])
    assert step(16, 1, 2032) != step(1, 1, 2047)


def test_two_prompts_of_one_step_find_nothing_of_each_other() -> None:
    blocks = [1, 2]
    prompts = [(0.0, 32, [7]), (0.001, 32, blocks), (0.002, 32, blocks)]
    _, heard = prefilled(prompts, Prefill(batch_requests=2))
    assert [cached for _, cached, _ in heard] == [0, 0, 0]


def test_the_least_recently_used_block_goes_first_and_tails_before_heads() -> None:
    cache = BlockCache(4)
    assert cache.insert([1, 2, 3]) == []
    assert cache.insert([8]) == []
    assert cache.insert([1, 2]) == []
    assert cache.insert([9, 10]) == [3, 8]
    assert cache.insert([11]) == [2]
    assert [cache.overlap(blocks) for blocks in ([1, 2], [9, 10], [9, 12], [8])] == [1, 2, 1, 0]


def test_a_prompt_longer_than_the_cache_keeps_its_beginning() -> None:
    cache = BlockCache(2)
    assert cache.insert([1, 2, 3]) == [3]
    assert cache.overlap([1, 2, 3]) == 2
