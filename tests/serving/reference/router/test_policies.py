"""The routing policies: what each looks at, and their formulas against brute force."""

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import repeat

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.config.router import Router
from anarchy.games.queueing.closed_forms import parallel_mm1
from anarchy.games.routing.min_cost_assignment import minimise, social_marginals
from anarchy.serving.reference.router.policy import POLICIES, BatchPolicy, Policy, View, get_policy
from anarchy.serving.reference.router.predictive import decode_seconds, marginal_cost, queue_seconds
from anarchy.serving.reference.router.prefix_aware import mixed
from tests.serving.decode_by_tokens import Job, decode_by_tokens


class Affine:
    """Service times that a page can check: prefill a + b tokens, ITL linear in both arguments."""

    def prefill(self, tokens: int, prompts: int = 1, cached: int = 0) -> float:
        return 0.01 + 0.001 * tokens

    def itl(self, batch: int, context: float) -> float:
        return 0.005 + 0.001 * batch + 1e-6 * context


def view(pool: str = "decode", **changes: object) -> View:
    fields: dict[str, object] = {
        "pool": pool,
        "block_tokens": 64,
        "prompt_blocks": 4,
        "overlaps": [0, 2, 4],
        "queued_tokens": [640, 128, 0],
        "active_blocks": [10, 8, 12],
        "active": [3, 2, 4],
        "cache_sizes": lambda: [5, 1, 3],
        "added_blocks": None,
        "blocks": (7, 8, 9, 10),
        "input_tokens": 256,
        "output_tokens": 10,
        "slots": 256,
        "service": Affine(),
        "outputs": lambda: [[(5, 300)], [(20, 300), (1, 40)], []],
    }
    return View(**(fields | changes))  # type: ignore[arg-type]


def policy(name: str, **parameters: object) -> Policy:
    return get_policy(name)(Router.model_validate({"policy": name} | parameters))


PER_WORKER = ("overlaps", "queued_tokens", "active_blocks", "active")


@st.composite
def views(draw: st.DrawFn, pool: str) -> View:
    workers = draw(st.integers(1, 5))
    prompt_blocks = draw(st.integers(1, 8))

    def row(most: int) -> list[int]:
        return draw(st.lists(st.integers(0, most), min_size=workers, max_size=workers))

    outputs = [
        [
            (draw(st.integers(1, 9)), draw(st.integers(1, 99)))
            for _ in range(draw(st.integers(0, 3)))
        ]
        for _ in range(workers)
    ]
    return view(
        pool,
        prompt_blocks=prompt_blocks,
        input_tokens=64 * prompt_blocks,
        overlaps=row(prompt_blocks),
        queued_tokens=row(2000),
        active_blocks=row(50),
        active=row(9),
        cache_sizes=None,
        outputs=lambda: outputs,
        slots=draw(st.integers(1, 6)),
    )


@pytest.mark.parametrize("pool", ["prefill", "decode"])
@pytest.mark.parametrize("name", sorted(POLICIES))
@settings(max_examples=30)
@given(data=st.data())
def test_renaming_workers_renames_costs(name: str, pool: str, data: st.DataObject) -> None:
    seen = data.draw(views(pool))
    order = data.draw(st.permutations(range(len(seen.active))))
    outputs = seen.outputs()
    renamed = view(
        pool,
        **{
            name: getattr(seen, name)
            for name in ("prompt_blocks", "input_tokens", "slots", "cache_sizes")
        },
        **{name: [getattr(seen, name)[worker] for worker in order] for name in PER_WORKER},
        outputs=lambda: [outputs[worker] for worker in order],
    )
    costs = policy(name, decode_overlap=True).costs(seen)
    assert policy(name, decode_overlap=True).costs(renamed) == pytest.approx(
        [costs[worker] for worker in order]
    )
    assert np.isfinite(costs).all(), "the log and the estimator want numbers"


def chosen(name: str, seen: View, **parameters: object) -> int:
    subject = policy(name, ties="first", **parameters)
    return subject.choose(seen, subject.costs(seen), repeat(0.0), repeat(0.0))


@given(active=st.lists(st.integers(0, 50), min_size=1, max_size=8))
def test_shortest_queue_is_joined(active: list[int]) -> None:
    seen = view(active=active)
    assert active[chosen("join-shortest-queue", seen)] == min(active)


def draws() -> Iterator[tuple[float, float]]:
    """Pairs of uniform draws on an even grid, so that frequencies are exact."""
    middles = [(i + 0.5) / 60 for i in range(60)]
    return itertools.product(middles, middles)


def test_random_is_uniform_whatever_the_load() -> None:
    subject = policy("random")
    counts = Counter(
        subject.choose(view(), [0.0] * 3, iter([first]), repeat(0.0)) for first, _ in draws()
    )
    assert counts == {0: 1200, 1: 1200, 2: 1200}


def test_power_of_two_takes_the_better_of_two_random_workers() -> None:
    """Of m workers the one with rank r (0 best) wins the pairs with the m - 1 - r behind it."""
    subject = policy("power-of-two")
    seen = view(active=[2, 0, 1, 3])
    costs = subject.costs(seen)
    counts = Counter(subject.choose(seen, costs, iter(pair), repeat(0.0)) for pair in draws())
    pairs = math.comb(4, 2)
    assert counts == {1: 3600 * 3 // pairs, 2: 3600 * 2 // pairs, 0: 3600 // pairs}


def test_power_of_two_prices_no_other_worker() -> None:
    subject = policy("power-of-two")
    assert (
        subject.choose(view(active=[5, 4, 0]), [5.0, 4.0, 0.0], iter([0.0, 0.0]), repeat(0.0)) == 1
    )


def test_sampled_policies_draw_by_temperature_among_their_candidates() -> None:
    subject = policy("power-of-two", temperature=1.0)
    costs = [5.0, 4.0, 0.0]
    found = [
        subject.choose(view(active=[5, 4, 0]), costs, iter([0.0, 0.0]), iter([u]))
        for u in np.linspace(0, 0.999, 1000)
    ]
    assert set(found) == {0, 1}
    assert found.count(1) / 1000 == pytest.approx(1 / (1 + math.exp(-1)), abs=0.002)


@pytest.mark.parametrize("name", ["power-of-two", "two-choice-hashing", "random"])
def test_one_worker_is_always_taken(name: str) -> None:
    seen = view(overlaps=[0], queued_tokens=[0], active_blocks=[0], active=[3], cache_sizes=None)
    subject = policy(name)
    assert subject.choose(seen, subject.costs(seen), repeat(0.99), repeat(0.0)) == 0


def test_least_kv_counts_the_new_prompt_as_the_accounts_do() -> None:
    assert policy("least-kv").costs(view()) == [14.0, 12.0, 16.0]
    assert policy("least-kv").costs(view(added_blocks=[4, 4, 0])) == [14.0, 12.0, 12.0]


def test_lmetric_multiplies_prefill_by_held_blocks() -> None:
    # (10 + 4 - 0) * 11, (2 + 4 - 2) * 9, (0 + 4 - 4) * 13
    assert policy("lmetric").costs(view("prefill")) == [154.0, 36.0, 0.0]
    assert policy("lmetric").costs(view("decode")) == [14.0, 12.0, 16.0]


@given(seen=views("prefill"), scale=st.integers(2, 9))
def test_lmetric_needs_no_weight(seen: View, scale: int) -> None:
    """A scale of the prefill blocks scales all costs, so the choice stays."""
    larger = view(
        "prefill",
        prompt_blocks=scale * seen.prompt_blocks,
        overlaps=[scale * x for x in seen.overlaps],
        queued_tokens=[scale * x for x in seen.queued_tokens],
        active_blocks=seen.active_blocks,
        active=seen.active,
    )
    before, after = policy("lmetric").costs(seen), policy("lmetric").costs(larger)
    assert after == pytest.approx([scale * cost for cost in before])


def test_load_aware_by_hand() -> None:
    # Mean load 3: 1 * (3-3)/3 - 0/4, (2-3)/3 - 2/4, (4-3)/3 - 4/4, in a pool that sees overlaps.
    costs = policy("load-aware").costs(view("prefill"))
    assert costs == pytest.approx([0.0, -1 / 3 - 1 / 2, 1 / 3 - 1])
    assert policy("load-aware", load_weight=3).costs(view("prefill")) == pytest.approx([0, -1.5, 0])
    assert policy("load-aware").costs(view()) == pytest.approx([0.0, -1 / 3, 1 / 3])


@given(seen=views("prefill"), scale=st.integers(2, 9))
def test_load_aware_has_no_unit(seen: View, scale: int) -> None:
    busy = [active + 1 for active in seen.active]  # the mean is at least 1
    seen.active = busy
    before = policy("load-aware").costs(seen)
    seen.active = [scale * active for active in busy]
    assert policy("load-aware").costs(seen) == pytest.approx(before)


def test_load_aware_of_idle_workers_is_affinity() -> None:
    assert policy("load-aware").costs(view("prefill", active=[0, 0, 0])) == [0.0, -0.5, -1.0]


@pytest.mark.parametrize(("most", "worker"), [(7, 2), (8, 0), (9, 0)])
def test_threshold_balances_from_the_imbalance_on(most: int, worker: int) -> None:
    seen = view("prefill", active=[0, 1, most])
    assert chosen("threshold", seen, imbalance=8) == worker


def test_threshold_without_overlap_leaves_balanced_loads_to_the_tie_rule() -> None:
    assert policy("threshold").costs(view(active=[1, 2, 3])) == [0.0, 0.0, 0.0]
    seen = policy("threshold", decode_overlap=True).costs(view(active=[1, 2, 3]))
    assert seen == [0.0, -2.0, -4.0]


@pytest.mark.parametrize("pool", ["prefill", "decode"])
@given(data=st.data(), omega=st.floats(0, 4), credit=st.floats(0, 2), overlap=st.booleans())
def test_credit_that_does_not_decay_is_the_cost_of_version_1_6(
    pool: str, data: st.DataObject, omega: float, credit: float, overlap: bool
) -> None:
    seen = data.draw(views(pool))
    parameters = {
        "overlap_weight": omega,
        "overlap_credit": credit,
        "request_weight": 0.5,
        "decode_overlap": overlap,
    }
    same = policy("decaying-credit", credit_decay=0, **parameters).costs(seen)
    assert same == policy("kv-1.6", **parameters).costs(seen)


@given(seen=views("prefill"), decay=st.floats(0.01, 10))
def test_credit_decays_with_excess_load(seen: View, decay: float) -> None:
    """credit = overlap / (1 + decay * excess / prompt_blocks): read back from the cost."""
    costs = policy("decaying-credit", credit_decay=decay).costs(seen)
    queues = [tokens / 64 for tokens in seen.queued_tokens]
    credits = [q + seen.prompt_blocks - cost for q, cost in zip(queues, costs, strict=True)]
    ranked = sorted(zip(queues, credits, seen.overlaps, strict=True))
    for queue, credit, overlap in ranked:
        if overlap:
            left = 1 / (1 + decay * (queue - min(queues)) / seen.prompt_blocks)
            assert credit / overlap == pytest.approx(left, abs=1e-9)
    shares = [credit / overlap for _, credit, overlap in ranked if overlap]
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(shares))


def test_one_head_has_two_workers_whatever_follows() -> None:
    subject = policy("two-choice-hashing")
    for head in range(50):
        places = set()
        for loads in itertools.permutations(range(4)):
            seen = view(active=list(loads), blocks=(head, loads[0]))
            worker = subject.choose(seen, subject.costs(seen), repeat(0.5), repeat(0.0))
            places.add(worker)
        assert len(places) == 2
        a, b = places
        for loads in itertools.permutations(range(4)):
            seen = view(active=list(loads), blocks=(head,))
            worker = subject.choose(seen, subject.costs(seen), repeat(0.5), repeat(0.0))
            assert worker == min((a, b), key=lambda place: loads[place])


def test_heads_spread_over_all_pairs() -> None:
    subject = policy("two-choice-hashing")
    pairs = Counter(
        frozenset(subject.candidates(view(active=[0] * 4, blocks=(head,)), repeat(0.0)))  # type: ignore[attr-defined]
        for head in range(6000)
    )
    assert len(pairs) == 6
    error = math.sqrt(6000 * (1 / 6) * (5 / 6))
    assert all(abs(count - 1000) < 4 * error for count in pairs.values())


def test_more_hashed_blocks_tell_more_prompts_apart() -> None:
    def pairs(**parameters: object) -> set[frozenset[int]]:
        subject = policy("two-choice-hashing", **parameters)
        return {
            frozenset(subject.candidates(view(active=[0] * 6, blocks=(1, tail)), repeat(0.0)))  # type: ignore[attr-defined]
            for tail in range(40)
        }

    assert len(pairs()) == 1
    assert len(pairs(hash_blocks=2)) > 5
    assert pairs(hash_blocks=9) == pairs(hash_blocks=2), "the prompt has two blocks"


def test_prompts_without_blocks_draw_their_two_workers() -> None:
    subject = policy("two-choice-hashing")
    found = {
        tuple(subject.candidates(view(blocks=()), iter(pair)))  # type: ignore[attr-defined]
        for pair in draws()
    }
    assert found == set(itertools.permutations(range(3), 2))


def test_the_hash_is_the_published_one() -> None:
    # The first outputs of SplitMix64 from seed 0 are the hashes of multiples of its increment.
    step = 0x9E3779B97F4A7C15
    assert [mixed(0), mixed(step)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


@given(prompts=st.integers(0, 6), size=st.integers(1, 4000))
def test_queue_of_equal_prompts_takes_as_long_as_they_do(prompts: int, size: int) -> None:
    events = 0.0
    for _ in range(prompts):
        events += Affine().prefill(size)
    assert queue_seconds(Affine(), prompts * size, prompts) == pytest.approx(events)  # type: ignore[arg-type]


def test_latency_aware_by_hand() -> None:
    # Two prompts of 320 tokens wait, then 256 - 64 * 0 own; one of 128, own 128; none, own 1.
    seen = view("prefill", active=[2, 1, 0])
    expected = [2 * 0.330 + 0.266, 0.138 + 0.138, 0.011]
    assert policy("latency-aware").costs(seen) == pytest.approx(expected)
    # Contexts (10 * 64 + 256) / 4, (8 * 64 + 256) / 3, (12 * 64 + 256) / 5.
    expected = [0.009 + 224e-6, 0.008 + 256e-6, 0.010 + 204.8e-6]
    assert policy("latency-aware").costs(view()) == pytest.approx(expected)


def test_speeds_that_the_router_knows_divide_what_it_predicts() -> None:
    fast = view(speeds=[1.0, 2.0, 4.0])
    for name in ("latency-aware", "toll"):
        plain, known = policy(name).costs(view()), policy(name).costs(fast)
        assert known == [plain[0], plain[1] / 2, plain[2] / 4]


def test_crowding_raises_the_number_of_requests_to_its_power() -> None:
    plain = policy("latency-aware").costs(view())
    found = policy("latency-aware", crowding=1.5).costs(view())
    assert found == pytest.approx([c * n**1.5 for c, n in zip(plain, (4, 3, 5), strict=True)])


def test_requests_above_the_slots_take_turns() -> None:
    # Two slots: batches of two, and five requests have 2/5 of the steps each.
    costs = policy("latency-aware").costs(view(slots=2))
    assert costs[2] == pytest.approx((0.007 + 204.8e-6) * 5 / 2)


Sizes = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 500)), min_size=1, max_size=8)


@given(sizes=Sizes, slots=st.integers(1, 5))
def test_known_lengths_give_the_time_of_the_last_token(
    sizes: list[tuple[int, int]], slots: int
) -> None:
    """Against decoding token by token, with all requests there from the start."""
    jobs = [Job(0.0, context, output) for output, context in sizes]
    decode_by_tokens(jobs, slots, Affine())  # type: ignore[arg-type]
    assert decode_seconds(Affine(), sizes, slots) == pytest.approx(jobs[-1].done)  # type: ignore[arg-type]


def test_clairvoyant_prefers_the_worker_that_is_about_to_be_free() -> None:
    # Equal loads now, but the second worker's requests end after a step.
    soon = view(active=[2, 2], outputs=lambda: [[(50, 9), (50, 9)], [(1, 9), (1, 9)]])
    assert chosen("clairvoyant", soon) == 1
    costs = policy("latency-aware").costs(
        view(active=[2, 2], active_blocks=[2, 2], overlaps=[0, 0], queued_tokens=[0, 0])
    )
    assert costs[0] == costs[1], "a router that knows loads only sees no difference"


# Tolls and joint assignment, against the optima of games.


def mm1(rate: int, players: int, demand: Fraction) -> list[Fraction]:
    """Latency of an M/M/1 server at 1, 2, ... players, each a share of the demand."""
    return [1 / (rate - demand * load / players) for load in range(1, players + 1)]


def equilibrium(latencies: list[list[Fraction]], players: int, tolled: bool) -> list[int]:
    """Loads at which no player gains by moving, reached by best responses from one worker."""

    def price(worker: int, others: int) -> Fraction:
        def latency(load: int) -> float:
            return latencies[worker][load - 1]  # type: ignore[return-value]

        return marginal_cost(latency, others) if tolled else latencies[worker][others]  # type: ignore[return-value]

    loads = [players] + [0] * (len(latencies) - 1)
    moved = True
    while moved:
        moved = False
        for worker, load in enumerate(loads):
            if not load:
                continue
            prices = [price(other, count - (other == worker)) for other, count in enumerate(loads)]
            best = min(range(len(loads)), key=prices.__getitem__)
            if prices[best] < prices[worker]:
                loads[worker] -= 1
                loads[best] += 1
                moved = True
                break
    return loads


def social_cost(latencies: list[list[Fraction]], loads: list[int]) -> Fraction:
    return sum(
        (load * row[load - 1] for row, load in zip(latencies, loads, strict=True) if load),
        Fraction(0),
    )


@given(rates=st.lists(st.integers(9, 40), min_size=2, max_size=4), players=st.integers(1, 12))
def test_tolled_equilibrium_is_the_optimum_of_parallel_queues(
    rates: list[int], players: int
) -> None:
    latencies = [mm1(rate, players, Fraction(8)) for rate in rates]
    best = minimise(
        [social_marginals(row, str(rate)) for row, rate in zip(latencies, rates, strict=True)],
        [[Fraction(0)] * len(rates)] * players,
    )
    assert best.check()
    loads = equilibrium(latencies, players, tolled=True)
    assert social_cost(latencies, loads) == best.cost


def test_without_the_toll_the_equilibrium_costs_more() -> None:
    latencies = [mm1(rate, 60, Fraction(8)) for rate in (9, 12)]
    selfish, tolled = (equilibrium(latencies, 60, tolled=t) for t in (False, True))
    assert social_cost(latencies, tolled) < social_cost(latencies, selfish)


def test_tolled_equilibrium_of_many_players_is_the_optimal_split() -> None:
    players, rates, demand = 200, (21, 24, 60), Fraction(20)
    loads = equilibrium([mm1(rate, players, demand) for rate in rates], players, tolled=True)
    report = parallel_mm1(rates, demand)
    assert report.optimum_flow is not None
    for load, flow in zip(loads, report.optimum_flow, strict=True):
        assert abs(demand * load / players - flow) <= demand / players


def test_toll_by_hand() -> None:
    # x l(x) - (x - 1) l(x - 1) with contexts 640/3 and 224, 256 and 256, 192 and 204.8.
    costs = policy("toll").costs(view())
    expected = [
        4 * (0.009 + 224e-6) - 3 * (0.008 + 640e-6 / 3),
        3 * (0.008 + 256e-6) - 2 * (0.007 + 256e-6),
        5 * (0.010 + 204.8e-6) - 4 * (0.009 + 192e-6),
    ]
    assert costs == pytest.approx(expected)


def test_toll_of_a_prompt_is_its_own_seconds_times_the_queue() -> None:
    seen = view("prefill", active=[2, 1, 0])
    assert policy("toll").costs(seen) == pytest.approx(
        [2 * 0.330 + 0.266 + 2 * 0.266, 0.138 + 0.138 + 0.138, 0.011]
    )


def test_first_request_pays_no_toll() -> None:
    idle = view(active=[0, 0, 0], active_blocks=[0, 0, 0])
    assert policy("toll").costs(idle) == policy("latency-aware").costs(idle)


def batch(name: str = "batch-assignment") -> BatchPolicy:
    subject = policy(name)
    assert isinstance(subject, BatchPolicy)
    return subject


Prompts = st.lists(st.tuples(st.integers(1, 900), st.integers(0, 3)), min_size=1, max_size=4)


@settings(deadline=None)  # the first call imports the solver
@given(prompts=Prompts, queued=st.lists(st.integers(0, 900), min_size=2, max_size=3))
def test_prompts_are_assigned_at_least_total_time_to_first_token(
    prompts: list[tuple[int, int]], queued: list[int]
) -> None:
    """Against every assignment in every order."""
    workers = len(queued)
    seen = [
        view(
            "prefill",
            input_tokens=tokens + 64 * overlap,
            overlaps=[overlap] + [0] * (workers - 1),
            queued_tokens=queued,
            active=[int(tokens > 0) for tokens in queued],
        )
        for tokens, overlap in prompts
    ]

    def total(plan: list[tuple[int, int]]) -> float:
        clocks = [Affine().prefill(tokens) if tokens else 0.0 for tokens in queued]
        seconds = 0.0
        for request, worker in plan:
            uncached = seen[request].input_tokens - 64 * seen[request].overlaps[worker]
            clocks[worker] += Affine().prefill(max(1, uncached))
            seconds += clocks[worker]
        return seconds

    best = min(
        total(list(zip(order, places, strict=True)))
        for order in itertools.permutations(range(len(seen)))
        for places in itertools.product(range(workers), repeat=len(seen))
    )
    plan = batch().assign(seen)
    assert sorted(request for request, _ in plan) == list(range(len(seen)))
    assert total(plan) == pytest.approx(best)


@settings(deadline=None)
@given(
    loads=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 60)), min_size=2, max_size=3),
    requests=st.integers(1, 4),
)
def test_decodes_are_assigned_at_least_load_times_latency(
    loads: list[tuple[int, int]], requests: int
) -> None:
    """Against every assignment, at the contexts that the router expects."""
    active = [load for load, _ in loads]
    blocks = [64 * long if load else 0 for load, long in loads]
    seen = view(active=active, active_blocks=blocks, overlaps=[0] * len(loads))
    expected = [(64 * held + 256) / (load + 1) for load, held in zip(active, blocks, strict=True)]

    def total(places: tuple[int, ...]) -> float:
        after = [load + places.count(worker) for worker, load in enumerate(active)]
        return sum(
            load * Affine().itl(load, context) - before * Affine().itl(before, context)
            for load, before, context in zip(after, active, expected, strict=True)
        )

    best = min(map(total, itertools.product(range(len(active)), repeat=requests)))
    plan = batch().assign([seen] * requests)
    assert total(tuple(worker for _, worker in plan)) == pytest.approx(best)
