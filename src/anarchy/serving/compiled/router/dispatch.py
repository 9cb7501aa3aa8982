"""A router's decision: what it sees, and whom it sends a request to; see `serving.leg`."""

from anarchy.serving.compiled.core.compile import inlined, inner
from anarchy.serving.compiled.core.records import (
    ACCOUNT,
    ACTIVE_BLOCKS,
    ADDED,
    BATCH,
    BLOCK_TOKENS,
    CACHE_LAG,
    CACHED_NEWS,
    CAPACITY_HOST,
    CARD,
    DENSE,
    END,
    FOOTPRINT,
    GENERATED,
    HOST,
    INDEXED,
    INPUT,
    KNOWN_BLOCKS,
    LAST,
    LOOK_AT_LEAST,
    LOOK_AT_TWO,
    NAMES,
    NOW,
    ON_HOST,
    OUTPUT,
    OVERLAPS,
    PAGED,
    PENALTY,
    QUICK,
    REGISTERED,
    REPLICA,
    RULE,
    SEEN,
    SHARED,
    SIMPLE,
    START,
    STEPS,
    TIER,
    WHO,
    WORKERS,
    Floats,
    Ints,
)
from anarchy.serving.compiled.core.rows import row_of
from anarchy.serving.compiled.kv_cache.prefix_cache import (
    find_overlap,
    find_overlaps,
    insert,
    node_of,
)
from anarchy.serving.compiled.paged.decode import output_blocks
from anarchy.serving.compiled.plain.decode import ends_at, steps_done
from anarchy.serving.compiled.plain.decode import worker_at as decode_at
from anarchy.serving.compiled.router.policies import choose, choose_least, choose_of_two, price
from anarchy.serving.compiled.router.worker_loads import account_of, hear, holds_of, next_news, tell


@inlined
def cache_prompt(ints: Ints, reals: Floats, leg: int, cache: int, row: int, w: int) -> None:
    """A worker has the blocks of a prompt; the router hears of it `cache_lag` later."""
    insert(ints, cache, row, w)
    lag = reals[ints[leg + RULE] + CACHE_LAG]
    if lag > 0:
        news = tell(ints, reals, leg, CACHED_NEWS, reals[NOW] + lag)
        ints[news] = w
        for field in range(CARD):
            ints[news + 1 + field] = ints[row + field]


@inner
def _hear_of_caches(ints: Ints, reals: Floats, leg: int) -> None:
    """Take in the prompts that the router hears by now are cached."""
    if reals[ints[leg + RULE] + CACHE_LAG] > 0:
        while True:
            news = next_news(ints, reals, leg, CACHED_NEWS)
            if not news:
                break
            insert(ints, ints[leg + SEEN], news + 1, ints[news])


@inner
def _look_at_caches(ints: Ints, leg: int, row: int) -> None:
    """See what each worker has of the prompt, as far as the router has heard."""
    cache, workers = ints[leg + SEEN], ints[leg + WORKERS]
    blocks, depths = ints[DENSE] + ints[row + START], ints[leg + OVERLAPS]
    find_overlaps(ints, cache, blocks, ints[row + SHARED], depths)
    if not ints[cache + CAPACITY_HOST]:
        return
    for w in range(workers):
        on_host = 0
        for place in range(blocks, blocks + ints[depths + w]):
            if ints[node_of(ints, cache, w, ints[place]) + TIER] == HOST:
                on_host += 1
        ints[ints[leg + ON_HOST] + w] = on_host


@inlined
def _generated(ints: Ints, reals: Floats, w: int, replica: int) -> int:
    """Blocks of output on a decode worker, of the requests that a replica has placed there."""
    if ints[PAGED]:
        return output_blocks(ints, reals, w, replica)
    worker, end = decode_at(ints, w), ends_at(ints, w)
    made = ints[worker + STEPS] + steps_done(ints, reals, w, reals[NOW])
    total = 0
    for _ in range(ints[worker + BATCH]):
        row = row_of(ints, ints[end + WHO])
        if ints[row + REPLICA] == replica:
            tokens = ints[row + INPUT] + made - ints[end + LAST] + ints[row + OUTPUT]
            total += -(-tokens // ints[BLOCK_TOKENS]) - ints[row + FOOTPRINT]
        end += END
    return total


@inner
def _miscount(ints: Ints, reals: Floats, leg: int, row: int) -> None:
    """Show active blocks as the router's rules of accounting have them."""
    replica, footprint = ints[row + REPLICA], ints[row + FOOTPRINT]
    first = ints[DENSE] + ints[row + START]
    for w in range(ints[leg + WORKERS]):
        if ints[leg + NAMES]:
            held = holds_of(ints, leg, replica, w)
            for place in range(first, first + ints[row + SHARED]):
                if ints[held + ints[place]]:
                    ints[ints[leg + ADDED] + w] -= 1
        if ints[leg + GENERATED]:
            ints[ints[leg + ACTIVE_BLOCKS] + w] += _generated(ints, reals, w, replica)
        if ints[leg + PENALTY] and not ints[account_of(ints, leg, replica, w) + REGISTERED]:
            ints[ints[leg + ACTIVE_BLOCKS] + w] += footprint


@inner
def _decide_quickly(ints: Ints, reals: Floats, leg: int, row: int) -> int:
    """The choice of a policy that need not price every worker."""
    if ints[leg + QUICK] == LOOK_AT_LEAST:
        w = choose_least(ints, reals, leg)
    elif ints[leg + QUICK] == LOOK_AT_TWO:
        w = choose_of_two(ints, reals, leg, row)
    else:
        w = choose(ints, reals, leg, row)
    if ints[leg + INDEXED]:
        blocks = ints[DENSE] + ints[row + START]
        held = find_overlap(ints, ints[leg + SEEN], blocks, ints[row + SHARED], w)
        ints[ints[leg + OVERLAPS] + w] = held
    return w


@inner
def decide(ints: Ints, reals: Floats, leg: int, row: int) -> int:
    """The worker that a request is sent to; the leg's scratch space tells why."""
    if ints[leg + INDEXED]:
        _hear_of_caches(ints, reals, leg)
    if not ints[leg + SIMPLE]:
        hear(ints, reals, leg)
    if ints[leg + QUICK]:
        return _decide_quickly(ints, reals, leg, row)
    if ints[leg + INDEXED]:
        _look_at_caches(ints, leg, row)
    account = account_of(ints, leg, ints[row + REPLICA], 0)
    blocks, added = ints[leg + ACTIVE_BLOCKS], ints[leg + ADDED]
    for w in range(ints[leg + WORKERS]):
        ints[blocks + w] = ints[account + w * ACCOUNT + KNOWN_BLOCKS]
        ints[added + w] = ints[row + FOOTPRINT]
    if not ints[leg + SIMPLE]:
        _miscount(ints, reals, leg, row)
    price(ints, reals, leg, row)
    return choose(ints, reals, leg, row)
