"""What the router's policies take a worker to cost.

Costs are the same sums in the same order as the reference's, so that ties are ties here too.
"""

from anarchy.config.router import Router
from anarchy.serving.compiled.core.compile import inner, integer, small
from anarchy.serving.compiled.core.coverage import COMPILED_POLICIES
from anarchy.serving.compiled.core.records import Request, State
from anarchy.serving.compiled.core.router_records import Dispatcher, Rule, View
from anarchy.serving.compiled.core.service_times import itl, prefill_seconds
from anarchy.serving.compiled.core.tables import record

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

BLIND = (ROUND_ROBIN, RANDOM, POWER_OF_TWO, TWO_CHOICE)
"""Policies that do not compare the costs of all workers."""


def make_rule(router: Router, prefill: bool) -> Rule:
    """A dispatcher's policy and parameters."""
    tracking = router.tracking
    late = tracking.replicas > 1 or tracking.event_lag > 0
    distinct = tracking.active_blocks == "distinct"
    generated = tracking.generated_blocks and not prefill
    penalty = tracking.unregistered_penalty and not prefill
    overlooked = 0 if prefill else tracking.overlooked
    return record(
        Rule,
        router,
        tracking,
        policy=COMPILED_POLICIES.index(router.policy),
        ties=TIE_RULES.index(router.ties),
        is_prefill=prefill,
        immediate=not (late or generated or penalty or distinct or overlooked > 0),
        distinct=distinct,
        generated=generated,
        overlooked=overlooked,
        penalty=penalty,
    )


def compares(router: Router, prefill: bool, indexed: bool) -> tuple[bool, bool]:
    """Whether the least cost is where the fewest requests are, and where the fewest blocks are."""
    policy = COMPILED_POLICIES.index(router.policy)
    if router.temperature > 0 or (indexed and router.ties == "smallest-cache"):
        return False, False
    plain = not prefill and not router.decode_overlap and router.request_weight == 0
    by_blocks = policy == LEAST_KV or (policy == LMETRIC and not prefill)
    return policy == SHORTEST_QUEUE, by_blocks or (policy in (KV, KV_16, DECAYING) and plain)


@small
def _potential(view: View) -> float:
    """The blocks of the requests on a worker with the new one among them."""
    return float(view.active_blocks + view.added_blocks)


@inner
def _token_seconds(state: State, requests: int, context: float) -> float:
    """Seconds per output token of each of `requests` on one decode worker."""
    slots = state.settings.slots
    if requests <= slots:
        return itl(state.service, integer(0), requests, context)
    return itl(state.service, integer(0), slots, context) * requests / slots


@small
def _crowded(rule: Rule, seconds: float, active: int) -> float:
    """What latency-aware takes a predicted time for where it heeds the crowd."""
    if rule.crowding == 0 or rule.policy != LATENCY_AWARE:
        return seconds
    return float(seconds * (active + 1.0) ** rule.crowding)


@inner
def _predict(state: State, to: Dispatcher, request: Request, toll: bool) -> None:
    """The costs of latency-aware and, with what the request costs the others, of toll."""
    size, tokens = state.settings.block_tokens, request.input_tokens
    for w in range(len(to.views)):
        view, load = to.views[w], to.loads[request.replica, w]
        active = load.active
        if to.rule.is_prefill:
            cached = min(view.overlap * size, tokens - 1)
            own = prefill_seconds(state.service, integer(0), tokens - cached, integer(1), cached)
            queue = 0.0
            if active:
                mean = load.queued_tokens // active
                queue = active * prefill_seconds(
                    state.service, integer(0), mean, integer(1), integer(0)
                )
            cost = queue + own + active * own if toll else queue + own
            to.costs[w] = _crowded(to.rule, cost / view.speed, active)
            continue
        held = view.active_blocks * size
        own = _token_seconds(state, active + 1, (held + tokens) / (active + 1))
        cost = own
        if toll and active:
            before = _token_seconds(state, active, held / active)
            cost = own + active * (own - before)
        to.costs[w] = _crowded(to.rule, cost / view.speed, active)


@inner
def _price_kv(state: State, to: Dispatcher, request: Request) -> None:
    """The costs of Dynamo's router of early 2026."""
    rule, blocks = to.rule, request.prompt_blocks
    for w in range(len(to.views)):
        view = to.views[w]
        if rule.is_prefill:
            queued = to.loads[request.replica, w].queued_tokens
            uncached = queued / state.settings.block_tokens + blocks - view.overlap
            cost = rule.overlap_weight * uncached
            if rule.prefill_blocks:
                cost += _potential(view)
        elif rule.decode_overlap:
            cost = rule.overlap_weight * (blocks - view.overlap) + _potential(view)
        else:
            cost = _potential(view)
        to.costs[w] = cost


@inner
def _price_kv_16(state: State, to: Dispatcher, request: Request) -> None:
    """The costs of kv-1.6 and of decaying-credit."""
    rule, size, blocks = to.rule, state.settings.block_tokens, request.prompt_blocks
    weight = rule.overlap_weight if rule.is_prefill or rule.decode_overlap else 0.0
    shortest = to.loads[request.replica, 0].queued_tokens
    for w in range(len(to.views)):
        shortest = min(shortest, to.loads[request.replica, w].queued_tokens)
    decay = rule.credit_decay / (size * blocks)
    for w in range(len(to.views)):
        view, load = to.views[w], to.loads[request.replica, w]
        in_hbm = view.overlap - view.on_host
        credit = rule.overlap_credit * in_hbm + rule.host_credit * view.on_host
        if rule.policy == DECAYING:
            credit = credit / (1 + decay * (load.queued_tokens - shortest))
        own = weight * max(0.0, load.queued_tokens / size + blocks - credit)
        cost = own + rule.request_weight * load.active
        if not rule.is_prefill or rule.prefill_blocks:
            cost = cost + _potential(view)
        to.costs[w] = cost


@inner
def _price_load(to: Dispatcher, request: Request) -> None:
    """The costs of load-aware and of threshold."""
    rule, workers = to.rule, len(to.views)
    total, most = 0, to.loads[request.replica, 0].active
    least = most
    for w in range(workers):
        load = to.loads[request.replica, w].active
        total += load
        most, least = max(most, load), min(least, load)
    mean = total / workers
    weight = rule.load_weight / max(1.0, mean)
    for w in range(workers):
        load, overlap = to.loads[request.replica, w].active, to.views[w].overlap
        if rule.policy == LOAD_AWARE:
            to.costs[w] = weight * (load - mean) - overlap / request.prompt_blocks
        elif most - least >= rule.imbalance:
            to.costs[w] = load
        else:
            to.costs[w] = -float(overlap)


@inner
def _price_one(state: State, to: Dispatcher, request: Request) -> None:
    """The costs of the policies that look at one quantity, or at none."""
    policy = to.rule.policy
    for w in range(len(to.views)):
        view, load = to.views[w], to.loads[request.replica, w]
        cost = 0.0
        if policy in (SHORTEST_QUEUE, POWER_OF_TWO, TWO_CHOICE):
            cost = float(load.active)
        elif policy == LMETRIC and to.rule.is_prefill:
            queued = load.queued_tokens / state.settings.block_tokens
            left = queued + request.prompt_blocks - view.overlap
            cost = left * (view.active_blocks + 1)
        elif policy in (LMETRIC, LEAST_KV):
            cost = _potential(view)
        to.costs[w] = cost


@inner
def price(state: State, to: Dispatcher, request: Request) -> None:
    """Set the cost of each worker for a request."""
    policy = to.rule.policy
    if policy == KV:
        _price_kv(state, to, request)
    elif policy in (KV_16, DECAYING):
        _price_kv_16(state, to, request)
    elif policy in (LATENCY_AWARE, TOLL):
        _predict(state, to, request, policy == TOLL)
    elif policy in (LOAD_AWARE, THRESHOLD):
        _price_load(to, request)
    else:
        _price_one(state, to, request)
