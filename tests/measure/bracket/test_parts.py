"""The pieces of the bounds, each against what it bounds, found in another way."""

from itertools import permutations, product

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import with_fields
from anarchy.config.settings import load_scenario
from anarchy.measure.bracket.closed_loop import draw
from anarchy.measure.bracket.criteria import CRITERIA
from anarchy.measure.bracket.decode_price import best_price, rent
from anarchy.measure.bracket.longest_stays import LongestStays
from anarchy.measure.bracket.open_arrivals import shortest_first
from anarchy.measure.bracket.requests import fewest_computed
from anarchy.measure.bracket.run_bracket import bracket
from anarchy.measure.bracket.schedules.search import schedules
from anarchy.measure.bracket.service_limits import ServiceLimits, check_bounded
from anarchy.measure.bracket.summary import largest_rows, summary_rows
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.simulate import simulate
from anarchy.workload.traces import TraceData

SCENARIOS, TABLES = paths.ROOT / paths.SCENARIOS, paths.ROOT / paths.LATENCY
SEED = 11


@pytest.fixture(scope="module")
def published():
    return with_fields(
        load_scenario(SCENARIOS, "70b-1p2d-v09"),
        {"workload.clients": 12, "workload.output_tokens": 20},
        "test",
    )


def times(name: str = "llama31-70b-fp8-tp4-b200-trtllm") -> Latency:
    return load_latency(TABLES, name)


def test_a_price_bounds_the_time_in_decode_of_any_batches() -> None:
    """Two workers run batches at random; each price then bounds what the sequences spent."""
    rng = np.random.default_rng(SEED)
    steps = np.array([1.0, 1.3, 1.2, 1.9, 2.0])
    speeds = [1.0, 2.0]
    for _ in range(50):
        batches = [rng.integers(1, 6, size=rng.integers(1, 9)) for _ in speeds]
        lasted = [steps[own - 1] / speed for own, speed in zip(batches, speeds, strict=True)]
        spent = sum(float(own @ of) for own, of in zip(batches, lasted, strict=True))
        tokens, busy = sum(int(own.sum()) for own in batches), max(of.sum() for of in lasted)
        for price in np.geomspace(0.1, 50, 30):
            assert price * tokens - busy * rent(price, steps, speeds) <= spent * (1 + 1e-12)


def test_the_best_price_is_exact_where_one_batch_must_run() -> None:
    """b sequences all the time: they take b f(b) seconds a step, and a price says so."""
    batches = np.arange(1, 9)
    steps = 1 + 0.1 * batches  # of a convex cost, so that every batch is on the envelope
    for batch in batches.tolist():
        busy, tokens = steps[batch - 1], batch

        def bound(price: float, tokens: int = tokens, busy: float = busy) -> float:
            return price * tokens - busy * rent(price, steps, [1.0])

        assert best_price(bound, steps, [1.0]) == pytest.approx(batch * busy, rel=1e-6)


def nonpreemptive(release, work, machines):
    """The least sum of ends over all ways to serve jobs on equal machines, idling not allowed."""
    best = np.inf
    for order in permutations(range(len(work))):
        for places in product(range(machines), repeat=len(work)):
            free, total = [0.0] * machines, 0.0
            for job, place in zip(order, places, strict=True):
                free[place] = max(free[place], release[job]) + work[job]
                total += free[place]
            best = min(best, total)
    return best


@pytest.mark.parametrize("seed", range(4))
def test_one_fast_machine_is_no_worse_than_two(seed: int) -> None:
    rng = np.random.default_rng(seed)
    release, work = np.sort(rng.uniform(0, 3, 4)), rng.uniform(0.2, 2, 4)
    optimum = nonpreemptive(release, work, 2)
    ends, _ = shortest_first(release, work / 2, remaining=True)
    _, busy = shortest_first(release, work / 2, remaining=False)
    assert ends.sum() <= optimum
    assert (busy + work / 2).sum() <= optimum


def test_shortest_remaining_first_by_hand() -> None:
    """A long job is interrupted by a short one, and by none that is longer than its rest."""
    ends, busy = shortest_first(np.array([0.0, 1.0, 4.5]), np.array([5.0, 1.0, 2.0]), True)
    assert ends.tolist() == [6.0, 2.0, 8.0]
    assert busy.tolist() == [(1 * 0.5 + 4 * 4.0) / 5, 1.5, 7.0]


def test_nobody_stays_longer_than_the_longest_stays(published) -> None:
    for fields in (
        {},
        {"router.policy": "random"},
        {"topology.decode": 1},
        {"engine.decode.slots": 3},
        {"engine.first_token": "decode-step"},
        {"frontend.overhead": 0.01, "frontend.serial": True},
    ):
        scenario, latency = with_fields(published, fields, "test"), times()
        run = simulate(scenario, latency, seed=SEED, requests=300, warmup_cycles=0)
        draws = draw(scenario, latency, SEED, 0, len(run.log))
        stays = LongestStays(draws.requests, ServiceLimits(scenario, latency, draws.clients))
        log = run.log
        assert (log.prefill_end - log.arrival).max() <= stays.prefill
        assert log.ttft.max() <= stays.first_token
        assert (log.done - log.routed).max() <= stays.decode.max()
        assert ((log.done - log.decode_start) / log.output_tokens).max() <= stays.step


@pytest.mark.parametrize("clients", [2, 12, 120])
def test_other_routers_and_pools_do_not_beat_the_bounds(published, clients: int) -> None:
    scenario = with_fields(published, {"workload.clients": clients}, "test")
    run = simulate(scenario, times(), seed=SEED, requests=1000)
    others = list(schedules(scenario, times(), seed=SEED, requests=1000))
    assert len(others) > 3
    rows = bracket(run.log, scenario, times(), seed=SEED, schedules=others)
    assert [row["id"] for row in rows] == [criterion.name for criterion in CRITERIA]
    for row in rows:
        assert 1 <= row["lo"] <= row["hi"]
        assert row["n"] == 1000 + 3 * clients
    e2e, throughput = rows[0], rows[-1]
    if clients == 2:  # the ends of a run matter little where few are in flight
        assert e2e["hi"] < 1.1
    if clients == 120:
        assert throughput["hi"] < 1.02, "prefill is full"


def test_the_loss_of_a_router_that_loses_is_found(published) -> None:
    """It takes unequal workers for equal ones."""
    scenario = with_fields(
        published,
        {"router.policy": "kv", "topology.decode_speed": [0.2, 1.0], "router.ties": "first"},
        "test",
    )
    run = simulate(scenario, times(), seed=SEED, requests=400)
    others = schedules(scenario, times(), seed=SEED, requests=400)
    rows = bracket(run.log, scenario, times(), seed=SEED, schedules=others)
    assert rows[0]["lo"] > 1.5


def test_the_draws_are_those_of_the_simulator(published) -> None:
    scenario = with_fields(
        published,
        {
            "workload.output_lengths.kind": "geometric",
            "workload.output_lengths.mean_tokens": 30,
            "workload.input_lengths.kind": "exponential",
            "workload.input_lengths.mean_tokens": 200,
        },
        "test",
    )
    run = simulate(scenario, times(), seed=SEED, replication=2, requests=200, warmup_cycles=0)
    drawn = draw(scenario, times(), SEED, 2, 200).requests
    logged = np.sort(run.log.output_tokens)
    assert len(drawn) == 200 + 12 - 1
    assert set(logged) <= set(drawn.output_tokens)
    assert (drawn.computed <= drawn.input_tokens).all()
    uncached = run.log.input_tokens - run.log.cached_tokens
    assert uncached.min() >= drawn.computed.min()
    with pytest.raises(InputError, match="the scenario draws"):
        bracket(run.log, scenario, times(), seed=SEED + 1)


def test_only_what_another_prompt_has_may_be_cached() -> None:
    """Blocks of 10 tokens: two shared and one of its own, all shared, none."""
    scenario = load_scenario(SCENARIOS, "mooncake-8p8d")
    blocks = [(1, 2, 3), (1, 2), (4,)]
    tokens, tenants, rows = np.array([28, 20, 7]), np.zeros(3, dtype=int), np.arange(3)
    trace = TraceData(np.arange(3.0), tokens, np.ones(3, dtype=int), blocks, 10)
    assert fewest_computed(scenario, tokens, tenants, trace, rows).tolist() == [8, 1, 7]
    assert fewest_computed(scenario, tokens, tenants).tolist() == [1, 1, 1]
    without = with_fields(scenario, {"engine.cache.enabled": False}, "test")
    assert fewest_computed(without, tokens, tenants, trace, rows).tolist() == [28, 20, 7]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("engine.memory.paged", True),
        ("engine.local_prefill_below", 10),
        ("planner.rule", "load"),
        ("engine.cache.host.capacity_tokens", 10**6),
    ],
)
def test_what_is_not_proved_is_refused(published, field: str, value: object) -> None:
    check_bounded(published)
    with pytest.raises(InputError, match=r"^bracket: \S+: no bound is proved"):
        check_bounded(with_fields(published, {field: value}, "test"))


def test_a_summary_has_the_outer_limits() -> None:
    point = {"scenario": "a", "workload.clients": 8}
    rows = [
        point | {"id": "loss-lo:e2e-mean", "value": 1.1, "lo": 1.05, "hi": 1.15, "n": 3},
        point | {"id": "loss-hi:e2e-mean", "value": 1.3, "lo": 1.2, "hi": 1.4, "n": 3},
        point | {"id": "loss-lo:throughput", "value": 1.0, "lo": None, "hi": None, "n": 3},
        point | {"id": "requests", "value": 8, "lo": None, "hi": None, "n": 3},
    ]
    (row,) = summary_rows("x", list(point), rows)
    limits = {"least": 1.1, "most": 1.3, "lo": 1.05, "hi": 1.4, "n": 3}
    assert (
        row
        == {"id": "x:a:8:e2e-mean", "experiment": "x"} | point | {"measure": "e2e-mean"} | limits
    )


def test_the_largest_certain_loss_is_told_and_points_are_counted() -> None:
    def point(load: int, lo: float, hi: float) -> dict[str, object]:
        head = {"id": f"x:{load}:e2e-mean", "experiment": "x", "measure": "e2e-mean"}
        return {**head, "load": load, "lo": lo, "hi": hi}

    rows = [point(1, 1.0, 1.01), point(2, 1.0, 9.0), point(3, 2.5, 3.0), point(4, 1.2, 1.3)]
    (found,) = largest_rows(rows)
    assert (found["point"], found["load"], found["lo"], found["hi"]) == ("x:3:e2e-mean", 3, 2.5, 3)
    counts = [found[name] for name in ("points", "tenth", "double", "fivefold", "nothing")]
    assert counts == [4, 2, 1, 0, 1]
