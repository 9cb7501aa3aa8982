"""Which worker a policy takes, given what each costs: the cheapest, one of two, or by a draw."""

import math

import numpy as np

from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.records import Request, State
from anarchy.serving.compiled.core.router_records import Dispatcher, Rule
from anarchy.serving.compiled.core.tables import NOBODY, Floats
from anarchy.serving.compiled.kv_cache.prefix_cache import HBM, HOST
from anarchy.serving.compiled.router import policies
from anarchy.serving.compiled.router.argmin_tree import least_at

STREAMS = ("prefill-ties", "decode-ties", "prefill-softmax", "decode-softmax")
"""Streams of draws by the rows of `State.draws`."""


@inner
def draw(state: State, stream: int) -> float:
    """The next draw of a stream."""
    place = state.draws_read[stream]
    state.draws_read[stream] = place + 1
    return float(state.draws[stream, place])


@inner
def mixed(value: int) -> np.uint64:
    """A 64-bit hash of an integer: the finaliser of SplitMix64."""
    bits = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@inner
def _hashed_block(state: State, rule: Rule, request: Request) -> int:
    """The name of the block that two-choice-hashing hashes."""
    place = min(rule.hash_blocks, request.shared_blocks + request.own_blocks) - 1
    if place < request.shared_blocks:
        return state.names[state.blocks[request.first_shared + place]]
    return request.first_own + place - request.shared_blocks


@inner
def _candidates(state: State, to: Dispatcher, request: Request) -> tuple[int, int]:
    """The two workers that a sampling policy looks at; the second is NOBODY if there is one."""
    rule, workers = to.rule, len(to.views)
    hashed = rule.policy == policies.TWO_CHOICE
    if workers < 2 and hashed:
        return 0, NOBODY
    if hashed and request.shared_blocks + request.own_blocks:
        value = mixed(_hashed_block(state, rule, request))
        first = integer(value % np.uint64(workers))
        second = integer(value % np.uint64(workers - 1))
    else:
        first = int(draw(state, rule.tie_stream) * workers)
        if workers < 2:
            return first, NOBODY
        second = int(draw(state, rule.tie_stream) * (workers - 1))
    return first, second + (second >= first)


@small
def _weight(excess: float, scale: float, temperature: float) -> float:
    return 1.0 if scale == 0 else math.exp(-excess / (scale * temperature))


@inner
def _softmax(state: State, rule: Rule, costs: Floats) -> int:
    """The place of the cost that a uniform draw falls on."""
    uniform = draw(state, rule.softmax_stream)
    lowest = highest = costs[0]
    for place in range(len(costs)):
        lowest, highest = min(lowest, costs[place]), max(highest, costs[place])
    scale = highest - lowest if rule.normalise else 1.0
    total = 0.0
    for place in range(len(costs)):
        total += _weight(costs[place] - lowest, scale, rule.temperature)
    target = uniform * total
    for place in range(len(costs)):
        target -= _weight(costs[place] - lowest, scale, rule.temperature)
        if target < 0:
            return place
    return len(costs) - 1


@inner
def _cache_size(to: Dispatcher, w: int) -> int:
    """Blocks that a worker has cached, as far as the router has heard."""
    return to.seen.lists[w, HBM].blocks + to.seen.lists[w, HOST].blocks


@small
def _cheapest(state: State, to: Dispatcher, costs: Floats, first: int, step: int) -> int:
    """The argmin, by the rule of ties; costs are those of workers `first`, `first + step`, ..."""
    rule = to.rule
    lowest, found, tied, smallest = costs[0], 0, 1, -1
    for place in range(1, len(costs)):
        if costs[place] < lowest:
            lowest, found, tied = costs[place], place, 1
        elif costs[place] == lowest:
            tied += 1
    if tied == 1 or rule.ties == policies.FIRST_OF_TIES:
        return first + found * step
    if rule.ties == policies.SMALLEST_CACHE and rule.indexed:
        for place in range(found, len(costs)):
            if costs[place] == lowest:
                size = _cache_size(to, first + place * step)
                if smallest < 0 or size < smallest:
                    smallest, tied = size, 0
                tied += size == smallest
    wanted = int(draw(state, rule.tie_stream) * tied)
    for place in range(found, len(costs)):
        w = first + place * step
        if costs[place] == lowest and (smallest < 0 or _cache_size(to, w) == smallest):
            if wanted == 0:
                return w
            wanted -= 1
    return first + found * step


@inner
def _choose_of_two(state: State, to: Dispatcher, request: Request) -> int:
    """The choice of the policies that look at two workers only."""
    loads = to.loads[request.replica]
    first, second = _candidates(state, to, request)
    soft = to.rule.temperature > 0
    if second == NOBODY:
        if soft:
            draw(state, to.rule.softmax_stream)  # a choice of one takes its draw too
        return first
    if second < first and not soft:
        first, second = second, first
    to.pair[0], to.pair[1] = loads[first].active, loads[second].active
    if soft:
        return second if _softmax(state, to.rule, to.pair) else first
    return _cheapest(state, to, to.pair, first, second - first)


@inner
def _choose_least(state: State, to: Dispatcher) -> int:
    """The worker of least key in the dispatcher's tree, by the rule of ties but smallest-cache."""
    tied = to.tree[1].tied
    if tied == 1 or to.rule.ties == policies.FIRST_OF_TIES:
        return least_at(to.tree, integer(0))
    return least_at(to.tree, int(draw(state, to.rule.tie_stream) * tied))


@inner
def choose(state: State, to: Dispatcher, request: Request) -> int:
    """The worker to take."""
    workers, policy = len(to.views), to.rule.policy
    if policy == policies.ROUND_ROBIN:
        w = to.turns[request.replica] % workers
        to.turns[request.replica] = w + 1
        return w
    if policy == policies.RANDOM:
        return int(draw(state, to.rule.tie_stream) * workers)
    if policy in (policies.POWER_OF_TWO, policies.TWO_CHOICE):
        return _choose_of_two(state, to, request)
    if len(to.tree):
        return _choose_least(state, to)
    if to.rule.temperature > 0:
        return _softmax(state, to.rule, to.costs)
    return _cheapest(state, to, to.costs, integer(0), integer(1))
