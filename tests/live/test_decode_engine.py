"""The live decode worker keeps the time of the simulated one."""

import asyncio
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.live.clock import Clock
from anarchy.live.decode_engine import MESSAGE_TOKENS, DecodeEngine
from anarchy.serving.service_times.lookup import Latency, load_latency
from tests.live.made_up_time import arrivals, beside, run, sleep_until
from tests.serving.decode_by_tokens import Job, decode_by_tokens

LATENCY = load_latency(paths.ROOT / paths.LATENCY, "llama31-70b-fp8-tp4-b200-trtllm")
FIXED = load_latency(paths.ROOT / paths.LATENCY, "fixed-100ms-8ms")
ROUNDING = 1e-9

Messages = list[tuple[float, int]]


def decoded(jobs: list[Job], slots: int, latency: Latency, dilation: float = 1.0) -> list[Messages]:
    """The time and the tokens of every message of every job."""

    async def ask(engine: DecodeEngine, job: Job, clock: Clock) -> Messages:
        await sleep_until(job.submitted * dilation)
        return [
            (clock.now(), tokens)
            async for tokens in engine.decode(job.input_tokens, job.output_tokens)
        ]

    async def main() -> list[Messages]:
        clock = Clock()
        engine = DecodeEngine(latency, slots, dilation, clock)
        return await beside(engine.run(), [ask(engine, job, clock) for job in jobs])

    return run(main())


def test_a_case_by_hand() -> None:
    """Steps of 8 ms: the second joins at the boundary at 16 ms, the third waits for a slot."""
    jobs = [Job(0.0, 100, 4), Job(0.009, 100, 3), Job(0.010, 100, 1)]
    first, second, third = decoded(jobs, 2, FIXED)
    assert first == [(pytest.approx(0.008), 1), (pytest.approx(0.032), 3)]
    assert second == [(pytest.approx(0.024), 1), (pytest.approx(0.040), 2)]
    assert third == [(pytest.approx(0.040), 1)]


@given(
    times=arrivals,
    slots=st.sampled_from([1, 2, 256]),
    dilation=st.sampled_from([1.0, 4.0]),
    data=st.data(),
)
def test_it_equals_a_simulation_token_by_token(
    times: list[float], slots: int, dilation: float, data: st.DataObject
) -> None:
    prompts = st.sampled_from([1, 128, 900, 4000, 9000])
    outputs = st.integers(1, 200)
    jobs = [Job(time, data.draw(prompts), data.draw(outputs)) for time in times]
    simulated = copy.deepcopy(jobs)
    decode_by_tokens(simulated, slots, LATENCY)
    for job, messages in zip(simulated, decoded(jobs, slots, LATENCY, dilation), strict=True):
        assert messages[0] == (pytest.approx(job.first_step * dilation, abs=ROUNDING), 1)
        assert messages[-1][0] == pytest.approx(job.done * dilation, abs=ROUNDING)
        assert sum(tokens for _, tokens in messages) == job.output_tokens
        assert all(tokens == MESSAGE_TOKENS for _, tokens in messages[1:-1])


def test_late_waking_moves_no_later_step() -> None:
    """Whoever arrives while the engine oversleeps joins where it would have joined."""

    class Sleepy(Clock):
        """Wakes 5 ms late, every time."""

        async def until(self, moment: float) -> None:
            await super().until(moment)
            await asyncio.sleep(0.005)

    async def main() -> list[float]:
        clock = Sleepy()
        engine = DecodeEngine(FIXED, 2, 1.0, clock)

        async def ask(at: float, tokens: int) -> float:
            await sleep_until(at)
            async for _ in engine.decode(100, tokens):
                pass
            return clock.now()

        return await beside(engine.run(), [ask(0.0, 10), ask(0.0165, 1)])

    long, short = run(main())
    assert long == pytest.approx(0.080 + 0.005)
    assert short == pytest.approx(0.032 + 0.005), "not the step from 16 ms, begun before it came"


def test_one_that_gives_up_leaves_the_batch() -> None:
    """Its slot is free at the next boundary."""

    async def main() -> float:
        clock = Clock()
        engine = DecodeEngine(FIXED, 1, 1.0, clock)

        async def give_up() -> float:
            messages = engine.decode(100, 1000)
            await anext(messages)
            await messages.aclose()
            return clock.now()

        async def ask() -> float:
            await sleep_until(0.001)
            return [clock.now() async for _ in engine.decode(100, 1)][-1]

        return (await beside(engine.run(), [give_up(), ask()]))[-1]

    assert run(main()) == pytest.approx(0.008 + 0.008 + 0.008)
