"""Workers of unequal speed: times scale exactly, and only theirs."""

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario, Topology
from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.service_times.worker_speeds import Services
from anarchy.serving.simulate import simulate
from tests.serving.conftest import changed
from tests.serving.reference.paged.test_system import ids, ms
from tests.serving.reference.paged.test_system import run as paged

TABLE = "llama31-70b-fp8-tp4-b200-trtllm"


def logged(scenario: Scenario, requests: int = 60) -> RequestLog:
    latency = load_latency(paths.ROOT / paths.LATENCY, TABLE)
    return simulate(scenario, latency, seed=3, requests=requests).log


def test_speeds_divide_the_steps_of_paged_workers_too() -> None:
    """Steps of 100 and 8 ms at half and at a quarter of the speed."""
    speeds = {"prefill": 1, "decode": 1, "prefill_speed": [0.5], "decode_speed": [0.25]}
    log = paged((0, 64, 3, ids(1, 64)), topology=speeds)
    assert ms(log.prefill_end) == [200]
    assert ms(log.done) == [200 + 3 * 32]


@pytest.mark.parametrize("tokens", [1, 100, 5000, 10**6])
def test_half_the_speed_is_twice_the_time(latency: Latency, tokens: int) -> None:
    topology = Topology(prefill=2, decode=2, prefill_speed=[1, 0.5], decode_speed=[0.5, 1])
    services = Services(topology, latency)
    fast, slow = services.prefill
    assert slow.prefill(tokens) == 2 * fast.prefill(tokens)
    slow, fast = services.decode
    for batch in (1, 7, 10_000):
        assert slow.itl(batch, tokens) == 2 * fast.itl(batch, tokens)


def test_a_half_speed_worker_takes_exactly_twice_the_time(published: Scenario) -> None:
    alone = changed(
        published,
        workload__clients=1,
        topology={"prefill": 2, "decode": 2, "prefill_speed": [1, 0.5], "decode_speed": [0.5, 1]},
        engine__cache__enabled=False,
        router__policy="round-robin",
    )
    log = logged(alone)
    prefill, decode = log.prefill_end - log.prefill_start, log.done - log.decode_start
    for column, worker, slow in ((prefill, log.prefill_worker, 1), (decode, log.decode_worker, 0)):
        assert column[worker == slow] == pytest.approx(2 * column[worker == 1 - slow].mean())
        assert set(worker) == {0, 1}


def test_speeds_of_one_change_nothing(published: Scenario) -> None:
    same = changed(published, topology__prefill_speed=[1.0], topology__decode_speed=[1.0, 1.0])
    assert np.array_equal(logged(published).done, logged(same).done)


def test_twice_the_speed_everywhere_halves_a_saturated_run(published: Scenario) -> None:
    """Without think time and hand-off there is no other time, so all times scale."""
    slow = changed(
        published,
        workload__think_time=0.0,
        engine__handoff__overhead=0.0,
        engine__handoff__bandwidth=None,
        topology__prefill_speed=[0.5],
        topology__decode_speed=[0.5, 0.5],
    )
    fast = changed(slow, topology__prefill_speed=[1.0], topology__decode_speed=[1.0, 1.0])
    seconds = {
        name: simulate(
            scenario, load_latency(paths.ROOT / paths.LATENCY, TABLE), seed=1, requests=4000
        )
        for name, scenario in (("slow", slow), ("fast", fast))
    }
    windows = {name: run.end - run.start for name, run in seconds.items()}
    assert windows["slow"] == pytest.approx(2 * windows["fast"], rel=0.02)


def test_look_ups_beyond_the_table_are_counted_for_every_speed(published: Scenario) -> None:
    scenario = changed(
        published,
        topology={"prefill": 2, "decode": 2, "prefill_speed": [0.5, 0.25]},
        workload__input_tokens=100_000,
        workload__clients=2,
        engine__cache__enabled=False,
    )
    run = simulate(scenario, load_latency(paths.ROOT / paths.LATENCY, TABLE), seed=1, requests=20)
    assert run.extrapolated >= run.measured.sum()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"topology__decode_speed": [1.0]},
            "decode_speed has 1 entries, topology.decode is 2: one for each worker is wanted",
        ),
        (
            {"topology__prefill_speed": [0.0]},
            r"prefill_speed.0: .* than or equal to 0.000001 \(got 0.0\)",
        ),
    ],
)
def test_bad_speeds_are_refused(
    published: Scenario, values: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        changed(published, **values)
