"""The router's policies: the mirror of `serving.router` and `serving.policies`.

Costs and choices are the same sums in the same order, so that ties are ties here too.
"""

import math
from typing import Any

import numpy as np

from anarchy.config.router import Router
from anarchy.serving.compiled.core.arena import Arena, put
from anarchy.serving.compiled.core.compile import inlined, inner, integer, small
from anarchy.serving.compiled.core.names import COMPILED_POLICIES
from anarchy.serving.compiled.core.records import (
    ACCOUNT,
    ACTIVE_BLOCKS,
    ADDED,
    ALLOWED,
    BLOCK_TOKENS,
    CACHE_LAG,
    COSTS,
    CREDIT_DECAY,
    DECODE_OVERLAP,
    DENSE,
    DRAW,
    DRAW_AT,
    DRAW_READ,
    DRAWS,
    EVENT_LAG,
    FOOTPRINT,
    FRESH,
    FRESH_NAME,
    HASH_BLOCKS,
    HOST_CREDIT,
    IMBALANCE,
    INDEXED,
    INPUT,
    IS_PREFILL,
    KNOWN_ACTIVE,
    KNOWN_BLOCKS,
    KNOWN_QUEUED,
    LIST,
    LISTS,
    LOAD_WEIGHT,
    LOOK_AT_LEAST,
    LOOK_AT_NONE,
    LOOK_AT_TWO,
    NOBODY,
    NORMALISE,
    ON_HOST,
    OVERLAP_CREDIT,
    OVERLAP_WEIGHT,
    OVERLAPS,
    POLICY,
    PREFILL_BLOCKS,
    PRICE_ALL,
    REPLICA,
    REPLICA_LAG,
    REQUEST_WEIGHT,
    RULE,
    RULE_REALS,
    SEEN,
    SHARED,
    SIZE,
    SLOTS,
    SOFTMAX,
    START,
    TEMPERATURE,
    TIE_RULE,
    TIERS,
    TIES,
    TURNS,
    VALUE,
    WORKERS,
    Floats,
    Ints,
)
from anarchy.serving.compiled.core.service_times import itl, prefill_seconds
from anarchy.serving.compiled.router.argmin_tree import least_at, tied_for_least
from anarchy.serving.compiled.router.worker_loads import account_of

(
    ROUND_ROBIN,
    RANDOM,
    SHORTEST_QUEUE,
    POWER_OF_TWO,
    LEAST_KV,
    KV,
    KV_16,
    LMETRIC,
    LOAD_AWARE,
    THRESHOLD,
    DECAYING,
    TWO_CHOICE,
    LATENCY_AWARE,
    TOLL,
) = range(len(COMPILED_POLICIES))

TIE_RULES = ("smallest-cache", "random", "first")
SMALLEST_CACHE, _, FIRST_OF_TIES = range(len(TIE_RULES))


def lay_rule(arena: Arena, leg: int, router: Router) -> None:
    """Lay out a leg's policy and parameters."""
    put(
        arena.ints,
        leg,
        [
            (POLICY, COMPILED_POLICIES.index(router.policy)),
            (NORMALISE, router.normalise),
            (TIE_RULE, TIE_RULES.index(router.ties)),
            (DECODE_OVERLAP, router.decode_overlap),
            (PREFILL_BLOCKS, router.prefill_blocks),
            (IMBALANCE, router.imbalance),
            (HASH_BLOCKS, router.hash_blocks),
        ],
    )
    rule = np.zeros(RULE_REALS)
    rule[OVERLAP_WEIGHT] = router.overlap_weight
    rule[TEMPERATURE] = router.temperature
    rule[OVERLAP_CREDIT] = router.overlap_credit
    rule[HOST_CREDIT] = router.host_credit
    rule[REQUEST_WEIGHT] = router.request_weight
    rule[LOAD_WEIGHT] = router.load_weight
    rule[CREDIT_DECAY] = router.credit_decay
    rule[EVENT_LAG] = router.tracking.event_lag
    rule[REPLICA_LAG] = router.tracking.replica_lag
    rule[CACHE_LAG] = router.tracking.cache_lag
    arena.move_reals(leg + RULE, rule)


@small
def _potential(ints: Ints, leg: int, w: int) -> float:
    """The blocks of the requests on a worker with the new one among them."""
    return float(ints[ints[leg + ACTIVE_BLOCKS] + w] + ints[ints[leg + ADDED] + w])


@inner
def _token_seconds(ints: Ints, reals: Floats, requests: int, context: float) -> float:
    """Seconds per output token of each of `requests` on one decode worker."""
    slots = ints[SLOTS]
    if requests <= slots:
        return itl(ints, reals, integer(0), requests, context)
    return itl(ints, reals, integer(0), slots, context) * requests / slots


@inner
def _predict(ints: Ints, reals: Floats, leg: int, prompt: int, known: int, toll: bool) -> None:
    """The costs of latency-aware and, with what the request costs the others, of toll."""
    costs, tokens = ints[leg + COSTS], ints[prompt + INPUT]
    for w in range(ints[leg + WORKERS]):
        account = known + w * ACCOUNT
        load = ints[account + KNOWN_ACTIVE]
        if ints[leg + IS_PREFILL]:
            uncached = tokens - ints[ints[leg + OVERLAPS] + w] * ints[BLOCK_TOKENS]
            own = prefill_seconds(ints, reals, integer(0), max(1, uncached))
            queue = 0.0
            if load:
                each = prefill_seconds(
                    ints, reals, integer(0), ints[account + KNOWN_QUEUED] // load
                )
                queue = load * each
            reals[costs + w] = queue + own + load * own if toll else queue + own
            continue
        held = ints[ints[leg + ACTIVE_BLOCKS] + w] * ints[BLOCK_TOKENS]
        own = _token_seconds(ints, reals, load + 1, (held + tokens) / (load + 1))
        reals[costs + w] = own
        if toll and load:
            before = _token_seconds(ints, reals, load, held / max(1, load))
            reals[costs + w] = own + load * (own - before)


@inner
def _price_kv(ints: Ints, reals: Floats, leg: int, prompt: int, known: int) -> None:
    """The costs of Dynamo's router of early 2026."""
    omega = reals[ints[leg + RULE] + OVERLAP_WEIGHT]
    footprint, costs = ints[prompt + FOOTPRINT], ints[leg + COSTS]
    for w in range(ints[leg + WORKERS]):
        overlap = ints[ints[leg + OVERLAPS] + w]
        if ints[leg + IS_PREFILL]:
            queued = ints[known + w * ACCOUNT + KNOWN_QUEUED]
            cost = omega * (queued / ints[BLOCK_TOKENS] + footprint - overlap)
            if ints[leg + PREFILL_BLOCKS]:
                cost += _potential(ints, leg, w)
        elif ints[leg + DECODE_OVERLAP]:
            cost = omega * (footprint - overlap) + _potential(ints, leg, w)
        else:
            cost = _potential(ints, leg, w)
        reals[costs + w] = cost


@inner
def _price_kv_16(ints: Ints, reals: Floats, leg: int, prompt: int, known: int) -> None:
    """The costs of kv-1.6 and of decaying-credit."""
    rule, prefill = ints[leg + RULE], ints[leg + IS_PREFILL]
    omega = reals[rule + OVERLAP_WEIGHT] if prefill or ints[leg + DECODE_OVERLAP] else 0.0
    footprint, tokens = ints[prompt + FOOTPRINT], ints[BLOCK_TOKENS]
    decaying = ints[leg + POLICY] == DECAYING
    shortest = ints[known + KNOWN_QUEUED]
    for w in range(ints[leg + WORKERS]):
        shortest = min(shortest, ints[known + w * ACCOUNT + KNOWN_QUEUED])
    decay = reals[rule + CREDIT_DECAY] / (tokens * footprint)
    for w in range(ints[leg + WORKERS]):
        queued = ints[known + w * ACCOUNT + KNOWN_QUEUED]
        on_host = ints[ints[leg + ON_HOST] + w]
        device = ints[ints[leg + OVERLAPS] + w] - on_host
        credit = reals[rule + OVERLAP_CREDIT] * device + reals[rule + HOST_CREDIT] * on_host
        if decaying:
            credit = credit / (1 + decay * (queued - shortest))
        own = omega * max(0.0, queued / tokens + footprint - credit)
        requests = ints[known + w * ACCOUNT + KNOWN_ACTIVE]
        cost = own + reals[rule + REQUEST_WEIGHT] * requests
        if not prefill or ints[leg + PREFILL_BLOCKS]:
            cost = cost + _potential(ints, leg, w)
        reals[ints[leg + COSTS] + w] = cost


@inner
def _price_load(ints: Ints, reals: Floats, leg: int, prompt: int, known: int) -> None:
    """The costs of load-aware and of threshold."""
    workers, costs = ints[leg + WORKERS], ints[leg + COSTS]
    total, most = 0, ints[known + KNOWN_ACTIVE]
    least = most
    for w in range(workers):
        load = ints[known + w * ACCOUNT + KNOWN_ACTIVE]
        total += load
        most, least = max(most, load), min(least, load)
    mean = total / workers
    weight = reals[ints[leg + RULE] + LOAD_WEIGHT] / max(1.0, mean)
    for w in range(workers):
        load = ints[known + w * ACCOUNT + KNOWN_ACTIVE]
        overlap = ints[ints[leg + OVERLAPS] + w]
        if ints[leg + POLICY] == LOAD_AWARE:
            reals[costs + w] = weight * (load - mean) - overlap / ints[prompt + FOOTPRINT]
        elif most - least >= ints[leg + IMBALANCE]:
            reals[costs + w] = load
        else:
            reals[costs + w] = -float(overlap)


@inner
def _price_one(ints: Ints, reals: Floats, leg: int, prompt: int, known: int) -> None:
    """The costs of the policies that look at one quantity, or at none."""
    policy = ints[leg + POLICY]
    for w in range(ints[leg + WORKERS]):
        account = known + w * ACCOUNT
        cost = 0.0
        if policy in (SHORTEST_QUEUE, POWER_OF_TWO, TWO_CHOICE):
            cost = float(ints[account + KNOWN_ACTIVE])
        elif policy == LMETRIC and ints[leg + IS_PREFILL]:
            queued, overlap = ints[account + KNOWN_QUEUED], ints[ints[leg + OVERLAPS] + w]
            left = queued / ints[BLOCK_TOKENS] + ints[prompt + FOOTPRINT] - overlap
            cost = left * (ints[ints[leg + ACTIVE_BLOCKS] + w] + 1)
        elif policy in (LMETRIC, LEAST_KV):
            cost = _potential(ints, leg, w)
        reals[ints[leg + COSTS] + w] = cost


@inlined
def price(ints: Ints, reals: Floats, leg: int, prompt: int) -> None:
    """Set the cost of each worker; `prompt` is the address of the request's row."""
    policy = ints[leg + POLICY]
    known = account_of(ints, leg, ints[prompt + REPLICA], 0)
    if policy == KV:
        _price_kv(ints, reals, leg, prompt, known)
    elif policy in (KV_16, DECAYING):
        _price_kv_16(ints, reals, leg, prompt, known)
    elif policy in (LATENCY_AWARE, TOLL):
        _predict(ints, reals, leg, prompt, known, policy == TOLL)
    elif policy in (LOAD_AWARE, THRESHOLD):
        _price_load(ints, reals, leg, prompt, known)
    else:
        _price_one(ints, reals, leg, prompt, known)


@small
def draw(ints: Ints, reals: Floats, stream: int) -> float:
    """The next draw of a stream."""
    record = ints[DRAWS] + stream * DRAW
    place = ints[record + DRAW_READ]
    ints[record + DRAW_READ] = place + 1
    return float(reals[ints[record + DRAW_AT] + place])


@inner
def mixed(value: int) -> np.uint64:
    """A 64-bit hash of an integer: the finaliser of SplitMix64."""
    bits = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@inner
def _candidates(ints: Ints, reals: Floats, leg: int, prompt: int) -> tuple[int, int]:
    """The two workers that a sampling policy looks at; the second is NOBODY if there is one."""
    hashed, workers = ints[leg + POLICY] == TWO_CHOICE, ints[leg + WORKERS]
    if workers < 2 and hashed:
        return 0, NOBODY
    shared = ints[prompt + SHARED]
    blocks = shared + ints[prompt + FRESH]
    if hashed and blocks:
        place = min(ints[leg + HASH_BLOCKS], blocks) - 1
        head = ints[prompt + FRESH_NAME] + place - shared
        if place < shared:
            head = ints[ints[VALUE] + ints[ints[DENSE] + ints[prompt + START] + place]]
        value = mixed(head)
        first: Any = np.int64(value % np.uint64(workers))
        second: Any = np.int64(value % np.uint64(workers - 1))
    else:
        first = int(draw(ints, reals, ints[leg + TIES]) * workers)
        if workers < 2:
            return first, NOBODY
        second = int(draw(ints, reals, ints[leg + TIES]) * (workers - 1))
    return first, second + (second >= first)


@inlined
def _weight(reals: Floats, leg_rule: int, excess: float, scale: float) -> float:
    return 1.0 if scale == 0 else math.exp(-excess / (scale * reals[leg_rule + TEMPERATURE]))


@inner
def _softmax(ints: Ints, reals: Floats, leg: int, costs: int, workers: int) -> int:
    """The worker that a uniform draw falls on."""
    rule = ints[leg + RULE]
    uniform = draw(ints, reals, ints[leg + SOFTMAX])
    lowest = highest = reals[costs]
    for w in range(workers):
        lowest, highest = min(lowest, reals[costs + w]), max(highest, reals[costs + w])
    scale = highest - lowest if ints[leg + NORMALISE] else 1.0
    total = 0.0
    for w in range(workers):
        total += _weight(reals, rule, reals[costs + w] - lowest, scale)
    target = uniform * total
    for w in range(workers):
        target -= _weight(reals, rule, reals[costs + w] - lowest, scale)
        if target < 0:
            return w
    return workers - 1


@small
def _cache_size(ints: Ints, leg: int, w: int) -> int:
    """Blocks that a worker has cached, as far as the router has heard."""
    size = ints[ints[leg + SEEN] + LISTS] + w * TIERS * LIST + SIZE
    return ints[size] + ints[size + LIST]


@inner
def _cheapest(ints: Ints, reals: Floats, leg: int, costs: int) -> int:
    """The argmin of the costs at an address, by the rule of ties."""
    workers = ints[leg + WORKERS]
    lowest = reals[costs]
    found, tied = 0, 1
    for w in range(1, workers):
        cost = reals[costs + w]
        if cost < lowest:
            lowest, found, tied = cost, w, 1
        elif cost == lowest:
            tied += 1
    rule = ints[leg + TIE_RULE]
    if tied == 1 or rule == FIRST_OF_TIES:
        return found
    smallest = -1
    if rule == SMALLEST_CACHE and ints[leg + INDEXED]:
        for w in range(found, workers):
            if reals[costs + w] == lowest:
                size = _cache_size(ints, leg, w)
                if smallest < 0 or size < smallest:
                    smallest, tied = size, 1
                elif size == smallest:
                    tied += 1
    wanted = int(draw(ints, reals, ints[leg + TIES]) * tied)
    for w in range(found, workers):
        if reals[costs + w] == lowest and (smallest < 0 or _cache_size(ints, leg, w) == smallest):
            if wanted == 0:
                return w
            wanted -= 1
    return found


@inner
def _cheaper_of(ints: Ints, reals: Floats, leg: int, one: int, other: int) -> int:
    """The argmin of two workers whose costs stand first in `ALLOWED`, by the rule of ties."""
    costs, rule = ints[leg + ALLOWED], ints[leg + TIE_RULE]
    if reals[costs] != reals[costs + 1]:
        return one if reals[costs] < reals[costs + 1] else other
    low, high = min(one, other), max(one, other)
    if rule == FIRST_OF_TIES:
        return low
    drawn = draw(ints, reals, ints[leg + TIES])  # even where the caches decide
    if rule == SMALLEST_CACHE and ints[leg + INDEXED]:
        more = _cache_size(ints, leg, high) - _cache_size(ints, leg, low)
        if more:
            return low if more > 0 else high
    return high if int(drawn * 2) else low


@inner
def choose_of_two(ints: Ints, reals: Floats, leg: int, prompt: int) -> int:
    """The choice of the policies that look at two workers only."""
    known, few = account_of(ints, leg, ints[prompt + REPLICA], 0), ints[leg + ALLOWED]
    first, second = _candidates(ints, reals, leg, prompt)
    soft = reals[ints[leg + RULE] + TEMPERATURE] > 0
    reals[few] = ints[known + first * ACCOUNT + KNOWN_ACTIVE]
    if second == NOBODY:
        if soft:
            draw(ints, reals, ints[leg + SOFTMAX])  # a choice of one takes its draw too
        return first
    reals[few + 1] = ints[known + second * ACCOUNT + KNOWN_ACTIVE]
    if soft:
        return second if _softmax(ints, reals, leg, few, integer(2)) else first
    return _cheaper_of(ints, reals, leg, first, second)


@inner
def choose_least(ints: Ints, reals: Floats, leg: int) -> int:
    """The worker of least key in the leg's tournament, by the rule of ties but smallest-cache."""
    tied = tied_for_least(ints, leg)
    if tied == 1 or ints[leg + TIE_RULE] == FIRST_OF_TIES:
        return least_at(ints, leg, 0)
    return least_at(ints, leg, int(draw(ints, reals, ints[leg + TIES]) * tied))


def quick_decision(router: Router, prefill: bool, indexed: bool) -> tuple[int, int]:
    """How a leg can decide without the costs of all workers, PRICE_ALL if it cannot.

    With it the field of an account that costs are equal to but for a constant, where that matters.
    """
    policy = COMPILED_POLICIES.index(router.policy)
    if policy in (ROUND_ROBIN, RANDOM):
        return LOOK_AT_NONE, 0
    if policy in (POWER_OF_TWO, TWO_CHOICE):
        return LOOK_AT_TWO, 0
    if router.temperature > 0 or (indexed and router.ties == "smallest-cache"):
        return PRICE_ALL, 0
    if policy == SHORTEST_QUEUE:
        return LOOK_AT_LEAST, KNOWN_ACTIVE
    plain = not prefill and not router.decode_overlap and router.request_weight == 0
    if policy == LEAST_KV or (policy == LMETRIC and not prefill):
        return LOOK_AT_LEAST, KNOWN_BLOCKS
    if policy in (KV, KV_16, DECAYING) and plain:
        return LOOK_AT_LEAST, KNOWN_BLOCKS
    return PRICE_ALL, 0


@inlined
def choose(ints: Ints, reals: Floats, leg: int, prompt: int) -> int:
    """The worker to take."""
    workers, policy = ints[leg + WORKERS], ints[leg + POLICY]
    if policy == ROUND_ROBIN:
        turn = ints[leg + TURNS] + ints[prompt + REPLICA]
        w = ints[turn] % workers
        ints[turn] = w + 1
        return w
    if policy == RANDOM:
        return int(draw(ints, reals, ints[leg + TIES]) * workers)
    if policy in (POWER_OF_TWO, TWO_CHOICE):
        return choose_of_two(ints, reals, leg, prompt)
    if reals[ints[leg + RULE] + TEMPERATURE] > 0:
        return _softmax(ints, reals, leg, ints[leg + COSTS], workers)
    return _cheapest(ints, reals, leg, ints[leg + COSTS])
