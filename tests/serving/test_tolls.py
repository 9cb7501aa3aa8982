"""Tolls at two shared workers: what theory says of a split stream, and the chain of a router that
sees the queues."""

import math
from fractions import Fraction
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.config.settings import load_scenario
from anarchy.config.yaml_files import read_yaml
from anarchy.games.queueing.prefix_routing import mistuned_toll_ratio
from anarchy.games.queueing.seen_queues import rule_cost
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate
from tests.serving.conftest import changed

RATES, DEMAND = (4, 1), 3


def split_time(theta: Fraction) -> float:
    """Mean time of a request if the rule (n + 1)^(1 + theta)/mu splits the stream at random."""
    best = sum(map(math.sqrt, RATES)) ** 2 / (sum(RATES) - DEMAND) - len(RATES)
    return float(mistuned_toll_ratio(RATES, DEMAND, theta)) * best / DEMAND


def fast_share(theta: Fraction) -> float:
    """Of the stream, by slacks in proportion to mu^(theta/(1 + theta))."""
    weights = [rate ** float(theta / (1 + theta)) for rate in RATES]
    return (RATES[0] - weights[0] / sum(weights) * (sum(RATES) - DEMAND)) / DEMAND


def experiment(name: str) -> dict[str, Any]:
    found = read_yaml(paths.ROOT / paths.EXPERIMENTS / f"{name}.yaml")
    assert isinstance(found, dict)
    return found


def test_the_curve_beside_the_routers_that_see_is_the_theory_of_the_split() -> None:
    curve = experiment("toll")["figure"]["curve"]
    assert {x for x, _ in curve} >= set(experiment("toll")["sweep"]["router.crowding"])
    for theta, seconds in curve:
        assert seconds == pytest.approx(split_time(Fraction(theta)), rel=1e-5)


def test_each_variant_of_the_split_has_the_share_and_the_time_of_the_theory() -> None:
    settings = experiment("toll-split")
    thetas = [
        Fraction(name.removeprefix("theta-").replace("-", "/")) for name in settings["variants"]
    ]
    for number, (theta, fields) in enumerate(
        zip(thetas, settings["variants"].values(), strict=True)
    ):
        (temperature,) = fields.values()
        share = 1 / (1 + math.exp(-1 / temperature)) if temperature else 1.0
        assert share == pytest.approx(fast_share(theta), rel=1e-5)
        assert settings["figure"]["curve"][number] == [
            number,
            pytest.approx(split_time(theta), rel=1e-5),
        ]


def chain_time(theta: float) -> float:
    """Mean time of a request if each joins the worker of least (n + 1)^(1 + theta)/mu."""
    return rule_cost(RATES, DEMAND, lambda held, rate: (held + 1) ** (1 + theta) / rate) / DEMAND


@pytest.mark.parametrize("theta", [0.0, 1.0])
def test_a_router_that_sees_the_queues_is_the_chain_of_two_servers(theta: float) -> None:
    scenario = changed(
        load_scenario(paths.ROOT / paths.SCENARIOS, "queues-1p2d"), router__crowding=theta
    )
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    run = simulate(scenario, latency, seed=1, requests=150_000, simulator="compiled")
    assert run.log.e2e[run.measured].mean() == pytest.approx(chain_time(theta), rel=0.03)
