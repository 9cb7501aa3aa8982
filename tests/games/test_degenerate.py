"""Degenerate games through the public entry: each kind answers, or refuses in one line.

The solvers' own tests know many of these cases from the inside; here a user writes them.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from anarchy.cli.main import main

LOAD = {"polynomial": [0, 1]}
W0, W1 = {"resources": ["w0"]}, {"resources": ["w1"]}
LONG = "9" * 10**5


def routing(*players: list[dict[str, Any]], **keys: Any) -> dict[str, Any]:
    latency = {"w0": LOAD, "w1": LOAD}
    strategies = [{"strategies": strategies} for strategies in players]
    return {"kind": "congestion", "latency": latency, "players": strategies} | keys


def caching(distance: object, cost: object = 1, **keys: Any) -> dict[str, Any]:
    topology = {"distance": distance} if isinstance(distance, list) else distance
    return {"kind": "caching", "topology": topology, "placement_cost": cost} | keys


def queues(rates: list[Any], demand: object, **keys: Any) -> dict[str, Any]:
    return {"kind": "parallel-queues", "service_rates": rates, "demand": demand} | keys


def pools(prefill: object, decode: object, budget: object = 4, **keys: Any) -> dict[str, Any]:
    def pool(rate: object) -> dict[str, Any]:
        return {"queue": keys.get("queue", "mm1"), "service_rate": 1, "arrival_rate": rate}

    integer = {"integer": True} if keys.get("integer") else {}
    game = {
        "kind": "allocation",
        "budget": budget,
        "prefill": pool(prefill),
        "decode": pool(decode),
    }
    return game | integer


def replicas(rates: list[Any], demand: object, count: object, **keys: Any) -> dict[str, Any]:
    game = {"kind": "dispatchers", "service_rates": rates, "demand": demand, "dispatchers": count}
    return game | keys


def network(demands: list[Any], clients: object = 1, think: object = 0) -> dict[str, Any]:
    names = {"service_demands": demands, "clients": clients, "think_time": think}
    return {"kind": "closed-network"} | names


def bound(latency: list[Any], players: object, **keys: Any) -> dict[str, Any]:
    family = "smoothness-with-offset" if keys else "smoothness"
    return {"kind": "bound", "family": family, "latency": latency, "players": players} | keys


NO_RATIO = {"price_of_anarchy": None}
ONE = {"price_of_anarchy": "1"}
NO_COST = "the optimum is 0, a ratio needs one above 0"
OVERLOAD = "every outcome costs infinitely much"

ANSWERED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "congestion-ties": (
        routing([W0, W1], latency={"w0": {"table": [1]}, "w1": {"table": [1]}}),
        {"equilibria": 2, "profiles": [[0], [1]]} | ONE,
    ),
    "congestion-no-pure-equilibrium": (
        routing(
            [W0, W1],
            [W0, W1],
            latency={"w0": {"polynomial": [1]}, "w1": {"polynomial": [1]}},
            colocation={"credit": [[0, "1/2"], ["-1/2", 0]]},
        ),
        NO_RATIO
        | {"equilibria": 0, "profiles": [], "worst_equilibrium": None, "exact_potential": False}
        | {"optimum": "2", "reason": "no pure equilibrium"},
    ),
    "congestion-optimum-of-zero": (
        routing([{"resources": []}]),
        NO_RATIO | {"price_of_stability": None, "optimum": "0", "reason": NO_COST},
    ),
    "congestion-negative-optimum": (
        routing([{"resources": ["w0"], "offset": "-5/2"}]),
        NO_RATIO | {"optimum": "-3/2", "reason": NO_COST.replace("is 0", "is -3/2")},
    ),
    "congestion-overload-everywhere": (
        routing([W0], [W0], latency={"w0": {"mm1": 2}}),
        NO_RATIO | {"optimum": "inf", "worst_equilibrium": "inf", "reason": OVERLOAD},
    ),
    "congestion-dead-worker-that-somebody-must-take": (
        routing([W0], [W1], latency={"w0": {"mm1": 2}, "w1": {"mm1": "1/2"}}),
        NO_RATIO | {"optimum": "inf", "reason": OVERLOAD},
    ),
    "congestion-equilibrium-in-overload": (
        # In overload together, each finds the other in the way wherever it turns.
        routing(
            [W0, W1],
            [{"resources": ["w0", "w1"]}, W0],
            latency={"w0": {"mm1": 2}, "w1": {"mm1": 2}},
        ),
        {"optimum": "2", "best_equilibrium": "2", "price_of_stability": "1"}
        | {"worst_equilibrium": "inf", "price_of_anarchy": "inf"},
    ),
    "congestion-one-player-one-worker": (
        routing([W0]),
        {"equilibria": 1, "exact_potential": True, "optimum": "1"} | ONE,
    ),
    "congestion-offset-without-weight": (
        routing([W0, {"resources": ["w1"], "offset": 3}], perceived_offset_weight=0),
        {"equilibria": 2, "optimum": "1", "worst_equilibrium": "4", "price_of_anarchy": "4"},
    ),
    "caching-ties": (
        caching({"complete": 2}),
        {"equilibria": 3, "optimum": "2"} | ONE,
    ),
    "caching-no-pure-equilibrium": (
        # A ring of one-way links: each node relies on the next, so copies chase one another.
        caching([[0, 1, 3], [3, 0, 1], [1, 3, 0]], 2),
        NO_RATIO | {"equilibria": 0, "profiles": [], "reason": "no pure equilibrium"},
    ),
    "caching-triangle-inequality-violated": (
        # Nodes 0 and 2 are 9 apart, though the way over node 1 costs 2: used as given.
        caching([[0, 1, 9], [1, 0, 1], [9, 1, 0]], 5),
        {"best_equilibrium": "7", "worst_equilibrium": "11", "price_of_anarchy": "11/7"},
    ),
    "caching-zero-demand": (
        caching({"complete": 3}, 2, demand=0),
        NO_RATIO | {"equilibria": 1, "profiles": [[[], [], []]], "optimum": "0", "reason": NO_COST},
    ),
    "caching-free-copies": (
        caching({"complete": 2}, 0),
        NO_RATIO | {"optimum": "0", "reason": NO_COST},
    ),
    "caching-one-node": (
        caching({"line": 1}, 7),
        {"equilibria": 1, "profiles": [[[0]]], "optimum": "7"} | ONE,
    ),
    "caching-no-room-and-no-miss-cost": (
        caching({"complete": 2}, 1, capacity=0),
        NO_RATIO | {"optimum": "inf", "reason": OVERLOAD},
    ),
    "parallel-queues-ties": (
        queues([2, 2], 1),
        {"equilibrium_flow": ["1/2", "1/2"], "optimum_flow": ["1/2", "1/2"]} | ONE,
    ),
    "parallel-queues-one-server": (
        queues([2], 1),
        {"equilibrium_flow": ["1"], "optimum_cost": "1"} | ONE,
    ),
    "parallel-queues-zero-demand": (
        queues([4, 1], 0),
        NO_RATIO | {"equilibrium_flow": ["0", "0"], "optimum_cost": "0", "reason": NO_COST},
    ),
    "parallel-queues-overload": (
        queues([4, 1], 6),
        NO_RATIO
        | {"equilibrium_flow": None, "optimum_flow": None, "optimum_cost": "inf"}
        | {"reason": OVERLOAD},
    ),
    "parallel-queues-proxy-overloads-one-server": (
        queues([4, 1], 4, router={"linear-proxy": {"credit": [0, 0]}}),
        {"equilibrium_flow": ["2", "2"], "equilibrium_cost": "inf", "price_of_anarchy": "inf"},
    ),
    "allocation-ties-go-to-the-smaller-prefill-pool": (
        pools(1, 1, 5, queue="mmc", integer=True),
        {"optimum_prefill": 2},
    ),
    "allocation-overload": (
        pools(2, 2),
        {"prefill": None, "multiplier": None}
        | {"reason": "the two offered loads use up the whole budget"},
    ),
    "allocation-every-split-overloads": (
        pools(2, 2, 3, integer=True),
        {"optimum_prefill": None, "reason": "every split overloads a pool"},
    ),
    "allocation-one-gpu-has-no-split": (
        pools("1/4", "1/4", 1, integer=True),
        {"optimum_prefill": None, "splits": []},
    ),
    "allocation-zero-demand": (
        pools(0, 0),
        {"prefill": "2", "decode": "2", "prefill_latency": "1/2"},
    ),
    "closed-network-one-client": (
        network([1, 2]),
        {"throughput": "1/3", "residence_time": "3", "saturation_point": "3/2"},
    ),
    "closed-network-one-station": (
        network([2], 5),
        {"throughput": "1/2", "residence_time": "10", "saturation_point": "1"},
    ),
    "closed-network-idle-station": (
        network([0, 2], 5),
        {"throughput": "1/2", "saturation_point": "1"},
    ),
    "bound-one-player": (bound([LOAD], 1), ONE),
    "bound-constant-latency": (bound([{"polynomial": [3]}], 4), ONE),
    "dispatchers-one-server": (
        replicas([2], "3/2", 7),
        ONE | {"equilibrium_flow": ["3/2"], "exact": True, "residual": "0"},
    ),
    "dispatchers-equal-rates": (
        replicas([2, 2], 3, 7),
        ONE | {"equilibrium_flow": ["3/2", "3/2"], "equilibrium_cost": "6"},
    ),
    "dispatchers-idle-slow-server": (
        replicas([4, "1/10"], 1, 4),
        ONE | {"equilibrium_flow": ["1", "0"], "worst_case": "4/3"},
    ),
    "dispatchers-alone": (
        replicas([4, 1], 3, 1),
        ONE | {"worst_case": "1", "equilibrium_flow": ["8/3", "1/3"]},
    ),
    "dispatchers-no-demand": (
        replicas([4, 1], 0, 2),
        NO_RATIO | {"equilibrium_flow": ["0", "0"], "reason": NO_COST},
    ),
    "dispatchers-overload": (
        replicas([4, 1], 5, 2),
        NO_RATIO | {"equilibrium_flow": None, "equilibrium_cost": "inf", "reason": OVERLOAD},
    ),
    "bound-overload": (
        bound([{"mm1": 3}], 3),
        {"price_of_anarchy": "inf", "lambda": None, "mu": None}
        | {"reason": "a resource is overloaded by at most 3 players"},
    ),
    "bound-one-player-of-wrong-weight": (
        bound([LOAD], 1, perceived_offset_weight=2),
        {"price_of_anarchy": "2"},
    ),
    "bound-degree-zero": (
        {"kind": "bound", "family": "atomic-polynomial", "degree": 0},
        ONE | {"lambda": None, "mu": None},
    ),
}

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "congestion-no-players": (routing(), "players"),
    "congestion-empty-strategy-set": (routing([W0], []), "players[1].strategies: at least one"),
    "congestion-no-latency-of-that-name": (routing([W0], latency={}), "no resource 'w0'"),
    "congestion-nobody-of-a-kind": (
        {"kind": "congestion", "latency": {"w0": LOAD}}
        | {"players": [{"count": 0, "strategies": [W0]}]},
        "players.0.count: must be from 1",
    ),
    "caching-no-objects": (caching({"complete": 2}, demand=[[], []]), "demand: "),
    "caching-no-nodes": (caching([]), "topology"),
    "caching-negative-distance": (caching([[0, -1], [1, 0]]), "topology.distance: must be"),
    "parallel-queues-no-servers": (queues([], 1), "service_rates: at least one"),
    "parallel-queues-dead-server": (queues([1, 0], 1), "service_rates: must be greater than 0"),
    "parallel-queues-negative-demand": (queues([1], -1), "demand: must be at least 0"),
    "dispatchers-no-servers": (replicas([], 1, 2), "service_rates: at least one"),
    "dispatchers-negative-demand": (replicas([1], -1, 2), "demand: must be at least 0"),
    "dispatchers-none": (replicas([1], "1/2", 0), "dispatchers: must be from 1 to 1000000"),
    "dispatchers-long": (replicas([1], f"1/{LONG}", 2), "demand: number longer"),
    "allocation-no-budget": (pools(1, 1, 0), "budget: must be greater than 0"),
    "allocation-half-a-gpu": (pools(1, 1, "9/2", integer=True), "budget: must be a whole number"),
    "closed-network-no-stations": (network([]), "service_demands: at least one"),
    "closed-network-no-work": (network([0, 0]), "service_demands: at least one"),
    "closed-network-no-clients": (network([1], 0), "clients: must be a whole number"),
    "bound-no-players": (bound([LOAD], 0), "players: must be a whole number"),
    "bound-no-latency": (bound([], 2), "latency: at least one"),
    "bound-latency-of-zero": (bound([{"polynomial": [0]}], 2), "latency: at least one"),
    "bound-weight-of-zero": (bound([LOAD], 2, perceived_offset_weight=0), "perceived_offset_weig"),
    "long-congestion": (routing([W0], latency={"w0": {"polynomial": [LONG]}}), "number longer"),
    "long-congestion-offset": (routing([W0 | {"offset": f"1/{LONG}"}]), "number longer"),
    "long-caching": (caching({"complete": 2}, f"{LONG}/7"), "placement_cost: number longer"),
    "long-parallel-queues": (queues([f"{LONG}/7"], 1), "service_rates: entry [0]: number longer"),
    "long-allocation": (pools(f"1/{LONG}", 1), "prefill.arrival_rate: number longer"),
    "long-closed-network": (network([1], 2, f"{LONG}/7"), "think_time: number longer"),
    "long-bound": (bound([{"mm1": f"{LONG}/7"}], 2), "number longer than 1000 characters"),
    "long-degree": (
        {"kind": "bound", "family": "atomic-polynomial", "degree": LONG},
        "degree: number longer",
    ),
}


def run(game: dict[str, Any], folder: Path) -> int:
    file = folder / "game.yaml"
    file.write_text(yaml.safe_dump(game), encoding="utf-8")
    return main(["solve", str(file)])


@pytest.mark.parametrize("name", ANSWERED)
def test_degenerate_game_is_answered(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    game, expected = ANSWERED[name]
    assert run(game, tmp_path) == 0
    found = json.loads(capsys.readouterr().out)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("name", ANSWERED)
def test_a_missing_ratio_has_a_reason_and_a_ratio_has_none(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(ANSWERED[name][0], tmp_path)
    found = json.loads(capsys.readouterr().out)
    if "price_of_anarchy" in found and "reason" in found:
        assert found["price_of_anarchy"] in (None, "inf")
    if found.get("price_of_anarchy", "") is None:
        assert found["reason"]


@pytest.mark.parametrize("name", REFUSED)
def test_meaningless_game_is_refused_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    game, message = REFUSED[name]
    assert run(game, tmp_path) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert message in shown.err
    assert len(shown.err) < 500
