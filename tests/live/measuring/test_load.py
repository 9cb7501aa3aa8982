"""The clients ask what the simulator's clients ask, and hear every token or say what is wrong."""

import asyncio

import pytest

from anarchy.config.live import LivePoint
from anarchy.config.scenario import with_fields
from anarchy.live.measuring.load import (
    Answer,
    ClosedLoopLoad,
    Connection,
    Prompts,
    expected_seconds,
    make_load,
)
from anarchy.live.processes import LiveError
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import simulate
from anarchy.workload.random_streams import integers, streams
from tests.live.measuring.conftest import CLIENTS, OUTPUT, REQUESTS, WARMUP
from tests.live.measuring.stub_frontend import StubFrontend

WORDS = [f"w{number}" for number in range(1000)]
SEED = 3


def load(stub: StubFrontend, point: LivePoint, latency: Latency) -> ClosedLoopLoad:
    return make_load(stub.url, "m", WORDS, point, latency, SEED)


def complete(stub: StubFrontend, tokens: int = OUTPUT) -> Answer:
    async def ask() -> Answer:
        async with Connection(stub.url, "m") as connection:
            await connection.complete("w1 w2", tokens)
            return await connection.complete("w1 w2", tokens)

    return asyncio.run(ask())


@pytest.mark.parametrize("cut", [False, True])
def test_an_answer_has_its_moments_in_order(stub: StubFrontend, cut: bool) -> None:
    stub.delay, stub.cut = 0.02, cut
    answer = complete(stub)
    assert answer.sent + stub.delay <= answer.first <= answer.done


def test_the_window_has_the_completions_that_were_asked_for(
    stub: StubFrontend, point: LivePoint, latency: Latency
) -> None:
    clients = load(stub, point, latency)
    asyncio.run(clients.run())
    warmup = round(WARMUP * CLIENTS)
    assert len(clients.measured) == REQUESTS
    assert clients.measured == clients.answers[warmup : warmup + REQUESTS]
    assert clients.boundary == clients.answers[warmup - 1].done
    # Once the window is closed nobody asks again.
    assert len(clients.answers) <= warmup + REQUESTS + CLIENTS - 1


def test_prompts_are_the_simulators(stub: StubFrontend, point: LivePoint, latency: Latency) -> None:
    """The templates are drawn from the stream that the simulator draws from."""
    asyncio.run(load(stub, point, latency).run())
    prompts = Prompts(WORDS, 128, SEED)
    drawn = integers(streams(SEED, 0)["prompts"], 5)
    expected = [next(drawn) for _ in stub.prompts]
    assert sorted(stub.prompts) == sorted(map(prompts.text, expected))
    run = simulate(point.scenario, latency, seed=SEED, requests=REQUESTS, warmup_cycles=WARMUP)
    assert sorted(run.log.prompt[:CLIENTS]) == sorted(expected[:CLIENTS])


def test_rare_templates_are_unique_prompts(
    stub: StubFrontend, point: LivePoint, latency: Latency
) -> None:
    many = with_fields(point.scenario, {"workload.templates": 100_000}, "test")
    asyncio.run(load(stub, point.model_copy(update={"scenario": many}), latency).run())
    assert len(set(stub.prompts)) == len(stub.prompts) > REQUESTS


def test_a_refusal_is_one_line(stub: StubFrontend, point: LivePoint, latency: Latency) -> None:
    stub.fails = True
    with pytest.raises(LiveError, match="503 Service Unavailable"):
        complete(stub)


def test_lost_tokens_are_noticed(stub: StubFrontend) -> None:
    stub.lose = 1
    with pytest.raises(LiveError, match=f"{OUTPUT - 1} tokens came, {OUTPUT} were asked for"):
        complete(stub)


def test_nobody_there_is_one_line() -> None:
    with pytest.raises(LiveError, match="no connection"):
        complete(StubFrontend(log=None, url="http://127.0.0.1:1"))  # type: ignore[arg-type]


def test_a_frontend_that_says_nothing_is_given_up(
    stub: StubFrontend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anarchy.live.measuring.load.PATIENCE", 0.05)
    stub.delay = 5.0
    with pytest.raises(LiveError, match=r"no word for 0\.05 s"):
        complete(stub)


def test_what_a_point_takes_grows_with_its_queue(point: LivePoint, latency: Latency) -> None:
    crowded = with_fields(point.scenario, {"workload.clients": 500}, "test")
    many = point.model_copy(update={"scenario": crowded, "requests": 500 * REQUESTS // CLIENTS})
    assert expected_seconds(many, latency) > 3 * expected_seconds(point, latency)
