import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.estimator import Estimator
from anarchy.config.scenario import Outage
from anarchy.config.settings import load_scenario
from anarchy.measure.estimators.empirical_poa import check_estimator, poa_hat, window_costs
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate


def load(batch, context):
    """Inter-token latency equal to the load: an affine congestion game when output is 1."""
    return float(batch)


# ------------------------------- what the index says where the price of anarchy is exactly 1


def _eight_requests_on_two_workers():
    """All costs of the game with latency = load, and those of its pure equilibria."""
    social, equilibria = [], []
    for choice in itertools.product((0, 1), repeat=8):
        loads = [choice.count(0), choice.count(1)]
        cost = sum(loads[w] for w in choice)
        social.append(cost)
        if all(loads[w] <= loads[1 - w] + 1 for w in choice):
            equilibria.append(cost)
    return min(social), equilibria


def test_the_game_of_both_counterexamples_has_price_of_anarchy_one():
    optimum, equilibria = _eight_requests_on_two_workers()
    assert optimum == 32
    assert set(equilibria) == {32}


def test_idle_freezing_gives_four_where_the_price_of_anarchy_is_one(make_run):
    # The equilibrium: four requests on each worker, all at the final load 4.
    run = make_run(8, decode_worker=[0, 1] * 4, routed=np.arange(8) + 2, done=np.arange(8) + 6)
    options = Estimator(window=8, freezing="idle", numerator="realised")
    costs = window_costs(run, options, load)
    assert (costs.actual.tolist(), costs.optimal.tolist()) == ([32], [8])
    assert poa_hat(run, options, load) == 32 / 8


def test_freezing_at_the_final_load_gives_five_eighths_where_it_is_one(make_run):
    # The same routing; now the matrix has the final load, 3 others on each worker, and each
    # request counts the load that it met on arrival: 1, 1, 2, 2, 3, 3, 4, 4.
    latency = np.array([1, 1, 2, 2, 3, 3, 4, 4])
    run = make_run(
        8,
        decode_worker=[0, 1] * 4,
        routed=np.arange(8),
        done=np.arange(8) + latency,
        decode_active=np.full((8, 2), 3),
    )
    options = Estimator(window=8, freezing="window-start", numerator="realised")
    costs = window_costs(run, options, load)
    assert (costs.actual.tolist(), costs.optimal.tolist()) == ([20], [32])
    assert poa_hat(run, options, load) == 20 / 32


# -------------------------------------------------------------------------------- matching


@pytest.mark.parametrize("workers", [2, 5])
@pytest.mark.parametrize("routing", ["balanced", "random", "one worker"])
def test_rectangular_is_n_over_m_whatever_the_routing(make_run, workers, routing):
    n = 200
    chosen = {
        "balanced": np.arange(n) % workers,
        "random": np.random.default_rng(0).integers(workers, size=n),
        "one worker": np.zeros(n),
    }[routing]
    run = make_run(n, workers, decode_worker=chosen)
    rectangular = Estimator(window=40, freezing="idle", matching="rectangular")
    assert poa_hat(run, rectangular, load) == 40 / workers
    # The same matrix with room for all requests sees no loss at all.
    assert poa_hat(run, Estimator(window=40, freezing="idle"), load) == 1


def test_rectangular_with_loads_stays_near_n_over_m(make_run):
    rng = np.random.default_rng(3)
    active = rng.integers(60, 70, size=(400, 5))
    for chosen in (active.argmin(axis=1), active.argmax(axis=1), np.arange(400) % 5):
        run = make_run(400, 5, decode_active=active, decode_worker=chosen)
        index = poa_hat(run, Estimator(matching="rectangular"), load)
        # Loads of 61 to 70 can move it by at most 70/61 either way around 40/5 = 8.
        assert 8 * 61 / 70 <= index <= 8 * 70 / 61


def test_rectangular_with_fewer_requests_than_workers_assigns_all(make_run):
    run = make_run(4, 5, decode_active=np.tile(np.arange(5), (4, 1)))
    costs = window_costs(run, Estimator(window=4, matching="rectangular"), load)
    assert costs.optimal.tolist() == [1 + 2 + 3 + 4]


def test_balanced_and_unconstrained_optima_of_one_window(make_run):
    # Five requests, two workers: places ceil(5/2) = 3 each; worker 1 costs 3 more.
    run = make_run(5, decode_active=np.tile([0, 3], (5, 1)))
    balanced = window_costs(run, Estimator(window=5), load)
    assert balanced.optimal.tolist() == [3 * 1 + 2 * 4]
    free = window_costs(run, Estimator(window=5, matching="unconstrained"), load)
    assert free.optimal.tolist() == [5 * 1]


def _brute_force_balanced(matrix):
    n, m = matrix.shape
    places = -(-n // m)
    return min(
        sum(matrix[i, w] for i, w in enumerate(choice))
        for choice in itertools.product(range(m), repeat=n)
        if all(choice.count(w) <= places for w in range(m))
    )


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 3))
def test_balanced_optimum_is_the_best_of_all_balanced_assignments(make_run, seed, n, m):
    active = np.random.default_rng(seed).integers(0, 9, size=(n, m))
    run = make_run(n, m, decode_active=active)
    costs = window_costs(run, Estimator(window=n), load)
    assert costs.optimal.tolist() == [_brute_force_balanced(active + 1)]


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4))
def test_balanced_is_at_least_one_when_the_routing_itself_is_balanced(make_run, seed, n, m):
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(np.arange(n) % m)
    run = make_run(n, m, decode_active=rng.integers(0, 20, size=(n, m)), decode_worker=chosen)
    for freezing in ("arrival", "window-start", "idle"):
        index = poa_hat(run, Estimator(window=n, freezing=freezing), load)
        assert index is not None
        assert index >= 1


def test_balanced_falls_below_one_when_the_routing_is_not_balanced(make_run):
    # Worker 1 is full of old requests; the router sends all four to worker 0, which the
    # balanced matching may not.
    run = make_run(4, decode_active=np.tile([0, 9], (4, 1)), decode_worker=0)
    assert poa_hat(run, Estimator(window=4), load) == (4 * 1) / (2 * 1 + 2 * 10)


# --------------------------------------------------------------------- entries and freezing


def test_decode_latency_entry_uses_batch_with_itself_and_mean_context(make_run):
    calls = []

    def itl(batch, context):
        calls.append((batch, context))
        return 0.5

    run = make_run(1, input_tokens=100, output_tokens=30, decode_active=[[4, 6]])
    costs = window_costs(run, Estimator(window=1), itl)
    assert sorted(calls) == [(5, 115.0), (7, 115.0)]
    assert all(isinstance(b, int) and isinstance(c, float) for b, c in calls)
    assert costs.actual.tolist() == [30 * 0.5]


def test_each_pair_of_batch_and_context_is_looked_up_once_and_lands_in_its_place(make_run):
    rng = np.random.default_rng(9)
    active = rng.integers(0, 4, size=(60, 3))
    tokens = rng.integers(1, 4, size=60)
    chosen = rng.integers(3, size=60)
    run = make_run(
        60, 3, decode_active=active, input_tokens=tokens, output_tokens=2, decode_worker=chosen
    )
    calls = []

    def itl(batch, context):
        calls.append((batch, context))
        return 10 * batch + context

    costs = window_costs(run, Estimator(window=20), itl)
    assert len(calls) == len(set(calls))
    expected = [2 * (10 * (active[i, chosen[i]] + 1) + tokens[i] + 1) for i in range(60)]
    assert costs.actual.tolist() == [sum(expected[k : k + 20]) for k in (0, 20, 40)]


@pytest.mark.parametrize(
    ("freezing", "actual"),
    [("arrival", (1 + 0) + (1 + 2) + (1 + 7)), ("window-start", 3 * (1 + 0)), ("idle", 3)],
)
def test_freezing_chooses_whose_loads_enter(make_run, freezing, actual):
    run = make_run(3, 2, decode_active=[[0, 5], [2, 5], [7, 5]])
    costs = window_costs(run, Estimator(window=3, freezing=freezing), load)
    assert costs.actual.tolist() == [actual]


@pytest.mark.parametrize(("freezing", "actual"), [("arrival", 4 + 6), ("window-start", 4 + 4)])
def test_router_cost_entry_is_the_cost_that_the_router_saw(make_run, freezing, actual):
    run = make_run(2, 2, decode_cost=[[4.0, 5.0], [6.0, 1.0]])
    options = Estimator(window=2, entry="router-cost", freezing=freezing)
    assert window_costs(run, options, load).actual.tolist() == [actual]


def test_windows_follow_the_order_of_routing_and_drop_the_incomplete_one(make_run):
    run = make_run(
        5, 1, routed=[5, 4, 3, 2, 1], decode_active=[[10], [20], [30], [40], [50]], decode_worker=0
    )
    costs = window_costs(run, Estimator(window=2), load)
    assert costs.actual.tolist() == [51 + 41, 31 + 21]


def test_ties_in_time_keep_the_order_of_arrival(make_run):
    # Even rows are routed at time 1, odd rows at time 0: many ties, and not in order.
    routed = np.arange(400) % 2 == 0
    run = make_run(400, 1, routed=routed, decode_active=np.arange(400)[:, None])
    costs = window_costs(run, Estimator(window=1), load)
    assert costs.actual.tolist() == [*range(2, 401, 2), *range(1, 400, 2)]


def test_only_measured_requests_enter(make_run):
    run = make_run(4, 1, decode_active=[[1], [2], [3], [4]])
    run = replace(run, measured=np.array([False, True, False, True]))
    assert window_costs(run, Estimator(window=2), load).actual.tolist() == [3 + 5]


# ------------------------------------------------------------------------------ aggregation


@pytest.mark.parametrize(
    ("aggregation", "value"),
    [
        ("ratio-of-sums", (2 + 8 + 9) / (1 + 1 + 3)),
        ("mean-of-ratios", (2 + 8 + 3) / 3),
        ("median-of-ratios", 3),
    ],
)
def test_aggregation_over_windows(make_run, aggregation, value):
    cost = [[2.0, 1.0], [8.0, 1.0], [9.0, 3.0]]
    run = make_run(3, decode_cost=cost)
    options = Estimator(
        window=1, entry="router-cost", matching="unconstrained", aggregation=aggregation
    )
    assert poa_hat(run, options, load) == pytest.approx(value, rel=1e-15)


# --------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("n", [0, 7])
def test_no_complete_window_gives_none(make_run, n):
    assert poa_hat(make_run(n), Estimator(window=8), load) is None


@pytest.mark.parametrize("aggregation", ["ratio-of-sums", "mean-of-ratios", "median-of-ratios"])
@pytest.mark.parametrize("best", [0.0, -1.0])
def test_an_optimum_that_is_not_positive_refuses_the_ratio(make_run, aggregation, best):
    run = make_run(2, decode_cost=[[2.0, best], [2.0, best]])
    options = Estimator(
        window=1, entry="router-cost", matching="unconstrained", aggregation=aggregation
    )
    assert poa_hat(run, options, load) is None


def test_one_window_with_zero_optimum_refuses_the_mean_but_not_the_ratio_of_sums(make_run):
    run = make_run(2, decode_cost=[[2.0, 0.0], [2.0, 1.0]])
    options = Estimator(window=1, entry="router-cost", matching="unconstrained")
    assert poa_hat(run, options, load) == 4 / 1
    mean = options.model_copy(update={"aggregation": "mean-of-ratios"})
    assert poa_hat(run, mean, load) is None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (Estimator(entry="router-cost", freezing="idle"), "freezing 'idle'"),
        (Estimator(entry="router-cost", numerator="realised"), "numerator 'realised'"),
    ],
)
def test_contradicting_options_are_refused(make_run, options, named):
    with pytest.raises(InputError, match=named):
        check_estimator(options)
    with pytest.raises(InputError, match=named):
        poa_hat(make_run(40), options, load)


@pytest.mark.parametrize("cost", [np.nan, -np.inf])
def test_a_log_whose_costs_are_no_numbers_is_refused(make_run, cost):
    run = make_run(1, decode_cost=[[cost, 1.0]])
    with pytest.raises(InputError, match=r"'router-cost'.*no numbers"):
        poa_hat(run, Estimator(window=1, entry="router-cost"), load)


# --------------------------------------------------------------------- workers out of service

OUT = np.inf
FREEZINGS = ("arrival", "window-start", "idle")


@pytest.mark.parametrize("freezing", FREEZINGS)
def test_no_optimum_uses_a_worker_that_is_out_of_service(make_run, freezing):
    # An empty worker that has failed looks best: nobody can be there.
    run = make_run(
        4,
        3,
        decode_worker=[1, 2, 1, 2],
        decode_active=np.tile([0, 5, 5], (4, 1)),
        decode_cost=np.tile([OUT, 5, 5], (4, 1)),
    )
    each = 1 if freezing == "idle" else 6
    for matching, matched in (("balanced", 4), ("rectangular", 2), ("unconstrained", 4)):
        options = Estimator(window=4, freezing=freezing, matching=matching)
        costs = window_costs(run, options, load)
        assert costs.actual.tolist() == [4 * each]
        assert costs.optimal.tolist() == [matched * each]


def test_places_grow_until_every_request_has_one(make_run):
    # Both workers serve the first request only; the others need four places on worker 0.
    cost = np.array([[0, 0], [0, OUT], [0, OUT], [0, OUT], [0, OUT]])
    active = np.tile([3, 0], (5, 1))
    run = make_run(5, decode_worker=0, decode_active=active, decode_cost=cost)
    costs = window_costs(run, Estimator(window=5), load)
    assert costs.optimal.tolist() == [1 + 4 * 4]
    assert costs.actual.tolist() == [5 * 4]


def test_rectangular_assigns_fewer_where_workers_serve_the_same_request_only(make_run):
    cost = np.array([[0, 0, 0], [0, OUT, OUT], [0, OUT, OUT]])
    active = np.array([[9, 2, 4], [7, 0, 0], [8, 0, 0]])
    run = make_run(3, 3, decode_worker=0, decode_active=active, decode_cost=cost)
    costs = window_costs(run, Estimator(window=3, matching="rectangular"), load)
    assert costs.optimal.tolist() == [3 + 8]


def _brute_force(matrix, places):
    """The most requests that fit with so many places each, and what they cost at least."""
    n, m = matrix.shape
    found = []
    for choice in itertools.product(range(-1, m), repeat=n):
        entries = [matrix[i, w] for i, w in enumerate(choice) if w >= 0]
        if np.isfinite(entries).all() and all(choice.count(w) <= places for w in range(m)):
            found.append((-len(entries), sum(entries)))
    matched, cost = min(found)
    return -matched, cost


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 3))
def test_optima_with_failures_are_the_best_of_all_assignments(make_run, seed, n, m):
    rng = np.random.default_rng(seed)
    active = rng.integers(0, 9, size=(n, m))
    out = rng.random((n, m)) < 0.5
    chosen = rng.integers(m, size=n)
    out[np.arange(n), chosen] = False
    cost = np.where(out, OUT, 0.0)
    run = make_run(n, m, decode_active=active, decode_cost=cost, decode_worker=chosen)
    matrix = np.where(out, OUT, active + 1.0)
    least = -(-n // int((~out).any(axis=0).sum()))
    fits = (_brute_force(matrix, places) for places in range(least, n + 1))
    balanced = next(cost for matched, cost in fits if matched == n)
    found = {
        matching: window_costs(run, Estimator(window=n, matching=matching), load).optimal.tolist()
        for matching in ("balanced", "rectangular", "unconstrained")
    }
    assert found["balanced"] == [balanced]
    assert found["rectangular"] == [_brute_force(matrix, 1)[1]]
    assert found["unconstrained"] == [matrix.min(axis=1).sum()]


def test_availability_is_that_of_the_own_decision_and_load_that_of_the_frozen_one(make_run):
    # Worker 1 returns after the first decision, at which it held nothing.
    run = make_run(
        2,
        decode_worker=[0, 1],
        decode_active=[[4, 0], [9, 1]],
        decode_cost=[[4, OUT], [9, 1]],
    )
    costs = window_costs(run, Estimator(window=2, freezing="window-start"), load)
    assert costs.actual.tolist() == costs.optimal.tolist() == [5 + 1]


def test_a_window_whose_routing_has_no_finite_cost_is_left_out(make_run):
    # In the first window worker 1 returns between the decisions; the second is complete.
    run = make_run(
        4,
        decode_worker=[0, 1, 0, 1],
        decode_cost=[[4.0, OUT], [9.0, 1.0], [2.0, 6.0], [1.0, 1.0]],
    )
    options = Estimator(window=2, entry="router-cost", freezing="window-start")
    costs = window_costs(run, options, load)
    assert costs.actual.tolist() == [2 + 6]
    assert costs.optimal.tolist() == [2 + 6]
    own = options.model_copy(update={"freezing": "arrival"})
    assert window_costs(run, own, load).actual.tolist() == [4 + 1, 2 + 1]


def test_a_failed_worker_is_not_the_optimum_of_a_simulated_outage():
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d").model_copy(
        update={"outages": [Outage(pool="decode", worker=1, at=0.0, until=1e6)]}
    )
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    run = simulate(scenario, latency, seed=1, requests=200, warmup_cycles=1)
    for matching in ("balanced", "unconstrained"):
        for entry in ("decode-latency", "router-cost"):
            options = Estimator(window=20, entry=entry, matching=matching)
            # One worker is left, so that there is nothing to lose.
            assert poa_hat(run, options, latency.itl) == pytest.approx(1, rel=1e-12)
