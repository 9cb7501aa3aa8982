"""Every field of the planner does what its description says; a field without a check here fails."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.config.scenario import Planner
from anarchy.config.settings import load_scenario
from anarchy.serving.log.request_log import PoolHistory, Run
from anarchy.serving.reference.elastic.forecast import (
    Arima,
    Constant,
    Forecast,
    Kalman,
    MovingAverage,
)
from anarchy.serving.reference.elastic.planner import LoadRule, Means, Observed, Sizes, SlaRule
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import prepare
from tests.serving.conftest import changed

LATENCY = load_latency(paths.ROOT / paths.LATENCY, "llama31-70b-fp8-tp4-b200-trtllm")
PUBLISHED = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
NOW = Sizes(4, 4)
CHECKS: dict[str, Callable[[], None]] = {}


def check(*fields: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register what checks these fields."""

    def register(function: Callable[[], None]) -> Callable[[], None]:
        once = cache(function)
        for field in fields:
            assert field not in CHECKS
            CHECKS[field] = once
        return function

    return register


@pytest.mark.parametrize("field", Planner.model_fields)
def test_field(field: str) -> None:
    CHECKS[field]()


# Systems: few requests, so that the pools shrink, or many, so that prefill grows.


def run(clients: int, topology: tuple[int, int], gpus: int, **values: object) -> Run:
    planner = {"rule": "load", "interval": 1.0, "sampling": 0.1, "startup": 0.5} | values
    scenario = changed(
        PUBLISHED,
        hardware__gpus=gpus,
        topology={"prefill": topology[0], "decode": topology[1]},
        workload__clients=clients,
        engine__cache__enabled=False,
        planner=planner,
    )
    return prepare(scenario, LATENCY, seed=1, requests=150 if clients == 1 else 1200).run()


def idle(**values: object) -> PoolHistory:
    history = run(1, (2, 4), 24, **values).pools
    assert history is not None
    return history


def busy(**values: object) -> PoolHistory:
    """One prefill worker for 200 clients, two decode workers, and no GPU to spare."""
    history = run(200, (1, 2), 12, **values).pools
    assert history is not None
    return history


@check("rule")
def rule() -> None:
    assert run(1, (2, 4), 24, rule="none").pools is None
    assert idle(rule="load").decode.tolist() == [4, 3, 2, 1]
    assert idle(rule="sla", step=3).decode.tolist() == [4, 1], "at once what the load needs"


@check("interval")
def interval() -> None:
    for seconds in (0.5, 1.5):
        decided = idle(interval=seconds).decided_at
        assert len(decided) > 2
        assert decided == pytest.approx(seconds * np.arange(1, len(decided) + 1))


def samples(seconds: float) -> int:
    """Samples of the load before the first decision, at 1.02 s."""
    planner = {"rule": "load", "interval": 1.02, "sampling": seconds}
    scenario = changed(PUBLISHED, planner=planner, workload__clients=1)
    system = prepare(scenario, LATENCY, seed=1, requests=20)
    observations = system.capacity._observations  # type: ignore[attr-defined]
    found: list[int] = []
    read = observations.read

    def counted(now: float) -> Observed:
        found.append(len(observations._samples))
        return read(now)  # type: ignore[no-any-return]

    observations.read = counted
    system.run()
    return found[0]


@check("sampling")
def sampling() -> None:
    assert [samples(seconds) for seconds in (0.1, 0.5, 5.0)] == [10, 2, 0]


@check("step")
def step() -> None:
    assert idle(step=1).decode.tolist() == [4, 3, 2, 1]
    assert idle(step=2).decode.tolist() == [4, 2, 1]
    assert idle(step=3).decode.tolist() == [4, 1]


@check("startup", "drain")
def startup_and_drain() -> None:
    """A decode worker leaves at 1 s; prefill has a second one after both delays."""

    def ready(**values: object) -> float:
        history = busy(**values)
        return float(history.time[np.argmax(history.prefill > 1)])

    start = ready(startup=0.0)
    assert start > 1.0
    for startup, drain in ((0.75, 0.0), (0.0, 0.25), (0.5, 0.5)):
        assert ready(startup=startup, drain=drain) == pytest.approx(start + startup + drain)


# Rules.

QUIET = Observed(30.0, 0, None, kv_load=0.7, batch=1.0, queue=1.0)


def moved(observed: Observed, **values: object) -> tuple[int, int]:
    target = LoadRule(Planner.model_validate({"rule": "load", **values})).target(observed, NOW, 9)
    return target.prefill - NOW.prefill, target.decode - NOW.decode


@check("kv_up", "kv_down", "queue_up", "queue_down")
def thresholds() -> None:
    assert moved(QUIET) == (0, 0)
    assert moved(QUIET, kv_up=0.6) == (0, 1)
    assert moved(QUIET, kv_down=0.8) == (0, -1)
    assert moved(QUIET, queue_up=0.9) == (1, 0)
    assert moved(QUIET, queue_down=1.1) == (-1, 0)
    defaults = Planner()
    assert (defaults.kv_up, defaults.kv_down) == (0.9, 0.5)
    assert (defaults.queue_up, defaults.queue_down) == (5.0, 0.2)


def met(factor: float = 1.0) -> Observed:
    """An interval of 100 requests a second whose latencies are so far from the table's."""
    handoff = PUBLISHED.engine.handoff
    assert handoff.bandwidth is not None
    seconds = handoff.overhead + 4000 * PUBLISHED.model.kv_bytes_per_token / handoff.bandwidth
    done = Means(
        input_tokens=4000,
        output_tokens=200,
        ttft=factor * (LATENCY.prefill(4000) + seconds),
        itl=factor * LATENCY.itl(10, 4100),
    )
    return Observed(30.0, 3000, done, kv_load=0.7, batch=10.0, queue=1.0)


def needed(observed: Observed, **values: object) -> Sizes:
    scenario = changed(PUBLISHED, planner={"rule": "sla", **values})
    return SlaRule(scenario, LATENCY).target(observed, NOW, 1000)


@check("itl")
def itl() -> None:
    sizes = [needed(met(), itl=promise).decode for promise in (0.008, 0.01, 0.02)]
    assert sizes[0] > sizes[1] > sizes[2]


@check("correction")
def correction() -> None:
    plain = needed(met(), itl=0.01)
    assert needed(met(0.5), itl=0.01, correction=False) == plain
    assert needed(met(2.0), itl=0.01, correction=False) == plain
    assert needed(met(0.5), itl=0.01).prefill < plain.prefill
    assert needed(met(1.2), itl=0.01).decode > plain.decode


LOAD = [10.0, 14.0, 22.0, 24.0, 31.0, 36.0, 38.0, 45.0, 51.0, 55.0]


def foretold(**values: object) -> list[float]:
    """The rates that the rule plans for as the load climbs."""
    scenario = changed(PUBLISHED, planner={"rule": "sla", **values})
    rule = SlaRule(scenario, LATENCY)
    said: list[float] = []
    update = rule._rate.update

    def noted(value: float) -> float:
        said.append(update(value))
        return said[-1]

    rule._rate.update = noted  # type: ignore[method-assign]
    for rate in LOAD:
        rule.target(replace(met(), arrived=round(30 * rate)), NOW, 1000)
    return said


def says(forecast: Forecast) -> list[float]:
    return [*map(forecast.update, LOAD)]


@check("forecast", "forecast_intervals", "forecast_ratio", "arima_order", "arima_intervals")
def forecasts() -> None:
    expected: list[tuple[dict[str, object], Forecast]] = [
        ({"forecast": "constant"}, Constant()),
        ({"forecast": "moving-average"}, MovingAverage(5)),
        ({"forecast": "moving-average", "forecast_intervals": 2}, MovingAverage(2)),
        ({"forecast": "kalman"}, Kalman(0.1)),
        ({"forecast": "kalman", "forecast_ratio": 2.0}, Kalman(2.0)),
        ({"forecast": "arima"}, Arima((1, 1, 0), 50)),
        ({"forecast": "arima", "arima_order": [1, 0, 0]}, Arima((1, 0, 0), 50)),
        ({"forecast": "arima", "arima_intervals": 6}, Arima((1, 1, 0), 6)),
    ]
    last = set()
    for values, forecast in expected:
        said = foretold(**values)
        assert said == pytest.approx(says(forecast))
        last.add(round(said[-1], 6))
    assert len(last) == len(expected), "each says something else"
