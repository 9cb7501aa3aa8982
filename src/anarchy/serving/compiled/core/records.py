"""The state of a run in two arrays, one of integers and one of reals, and the names of its places.

A *record* is some consecutive entries that begin at an address; `ints[address + FIELD]` is one of
its fields. Addresses are integers of the state themselves, so that a part that grows can move (see
`arena`). Two arrays make for short compile times and cheap calls; records of many arrays do not.

A request is a number, counted in order of arrival from 0; its row lies at that number modulo the
size of the ring of rows. Rows leave in order of arrival once they and all before them are done.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NOBODY = -1

# The header: what there is one of. It begins at address 0 of the integers.
(
    FUEL,  # moves of a request that there are cards, times and draws for
    COMPLETIONS,
    WARMUP,  # completions that are not measured
    WANTED,  # completions that are
    CLIENTS,  # of a closed loop; 0 for other workloads
    LOG_COSTS,  # whether rows keep what the routers saw
    # The queue of events.
    EVENTS,  # how many are scheduled
    EVENTS_ROOM,
    EVENTS_EVER,  # how many have been
    EVENT_KEYS,  # address of their keys and names
    EVENT_TIMES,  # address of their times, reals
    # The ring of rows.
    ROWS,
    ROW_TIMES,  # reals
    ROW_COSTS,  # reals: prefill costs, decode costs, active requests of the decode workers
    ROW_MASK,  # rows - 1
    FIRST_ROW,  # number of the first request in the ring
    ARRIVED,  # number of the next one to arrive
    # What the driver supplies, each with the place that is read next.
    CARDS,
    CARD_READ,
    DUES,  # reals: times of arrival of an open workload
    DUE_READ,
    THINKS,  # reals
    THINK_READ,
    DRAWS,  # address of one record (DRAW_AT, DRAW_READ) for each stream
    PENDING,  # the cards of the clients' next requests
    # Blocks that prompts may share.
    DENSE,  # of all templates or rows, one after the other
    VALUE,  # what a dense number is called in the reference
    # Service times.
    TOKENS,  # the axis of prefill
    TOKENS_SIZE,
    SECONDS,  # reals: tables x TOKENS_SIZE
    PARABOLA,  # reals: tables x 2
    BATCHES,  # the axis of ITL
    BATCHES_SIZE,
    KNOWN_LINES,  # reals: tables x BATCHES_SIZE x 3
    LINES,  # reals: tables x LINES_SIZE x 3
    LAST_CONTEXT,
    BEYOND,  # prefill look-ups beyond the table
    # Workers.
    PREFILL_COUNT,
    PREFILLS,
    PREFILL_TIMES,  # reals
    BATCH_REQUESTS,
    BATCH_TOKENS,
    BLOCK_TOKENS,
    CACHING,
    TIERED,  # whether blocks may have to be fetched from host memory
    SERIAL,  # whether a prefill step fetches first and computes then
    RECOMPUTE,
    BYTES_PER_TOKEN,
    DECODE_COUNT,
    DECODES,
    DECODE_TIMES,  # reals
    SLOTS,
    LARGEST_BATCH,  # of the table
    STEP_IS_FIRST_TOKEN,
    ENDS,  # DECODE_COUNT x ENDS_ROOM entries
    ENDS_ROOM,
    # Routers and caches.
    TO_PREFILL,
    TO_DECODE,
    REPLICAS,
    PREFILL_CACHE,
    DECODE_CACHE,
    # Totals when warm-up ended.
    METERS,  # reals: prefill busy, prefill work, decode busy
    METERS_BEYOND,
    PAGED,  # address of what a system with paged memory has beside all this (see `paged.layout`)
    HEADER,
) = range(65)

# The header of the reals.
NOW, HANDOFF_OVERHEAD, HANDOFF_BANDWIDTH, FETCH_LATENCY, FETCH_SECONDS, METERS_TIME, REALS = range(
    7
)

# A card, what a request asks, and the first fields of its row. Tokens and blocks.
PROMPT, TENANT, INPUT, OUTPUT, FOOTPRINT = range(5)
START, SHARED = 5, 6  # its leading blocks that others may share: their place in DENSE
FRESH, FRESH_NAME = 7, 8  # then blocks of its own: how many, and the name of the first one
CARD = 9
# Further integers of a row.
CLIENT, REPLICA, CACHED, PROMISED = 9, 10, 11, 12
PREFILL_WORKER, DECODE_WORKER, COMPLETION = 13, 14, 15
NEXT = 16  # the request behind it in its queue or batch
FETCHED = 17  # of CACHED, the tokens that were in host memory
ROW = 18

# Times of a row, seconds.
ARRIVAL, PREFILL_START, PREFILL_END, ROUTED, FIRST_TOKEN, DECODE_START, DONE = range(7)
TIMES = 7

# A stream of uniform draws on [0, 1): their address in the reals, and the next to be read.
DRAW_AT, DRAW_READ = range(2)
DRAW = 2
PREFILL_TIES, DECODE_TIES, PREFILL_SOFTMAX, DECODE_SOFTMAX = range(4)
STREAMS = ("prefill-ties", "decode-ties", "prefill-softmax", "decode-softmax")

# A prefill worker.
QUEUE_HEAD, QUEUE_TAIL, BATCH_HEAD, BATCH_SIZE, RUNNING, PREFILL_TABLE = range(6)
PREFILL = 6
BUSY, WORK, STARTED, DURATION, STEP_WORK = range(5)
PREFILL_REALS = 5

# A decode worker.
WAIT_HEAD, WAIT_TAIL, WAITING, BATCH, CONTEXT, STEPS, DUE_STEPS, ORDER, STEPS_BEYOND = range(9)
DECODE_TABLE = 9
DECODE = 10
BOUNDARY, DUE, DECODE_BUSY, LINE_START, LINE_VALUE, LINE_SLOPE = range(6)
DECODE_REALS = 6
# An entry of its heap of ends.
LAST, TURN, WHO = range(3)
END = 3

# A leg's router.
(
    WORKERS,
    IS_PREFILL,
    POLICY,
    NORMALISE,
    TIE_RULE,
    DECODE_OVERLAP,
    PREFILL_BLOCKS,
    IMBALANCE,
    HASH_BLOCKS,
    TIES,  # streams of draws
    SOFTMAX,
    INDEXED,  # whether it knows what workers have cached
    SEEN,  # address of what it knows of the caches
    GENERATED,  # whether blocks of output count
    PENALTY,  # whether unknown workers are punished
    RULE,  # reals: see below
    # Scratch space for one decision, an entry for each worker.
    ACTIVE_BLOCKS,
    ADDED,
    OVERLAPS,
    ON_HOST,
    COSTS,  # reals
    ALLOWED,  # reals
    TURNS,  # one for each replica: the next worker of round robin
    # Accounts.
    SIMPLE,  # one replica that hears at once: its account is the truth
    KNOWN,  # replicas x workers x ACCOUNT
    ACTIVE,  # workers: the truth
    DISTINCT,  # replicas x workers x NAMES: requests that hold a shared block
    NAMES,  # 0 if distinct blocks are not counted
    RING,  # address of RINGS rings of news
    ENTRY,  # scratch space for one piece of news
    # Decisions that do not price every worker; see `routing`.
    QUICK,
    TREE,  # address of a tournament of all workers, 0 if there is none
    LEAVES,
    KEY,  # the field of an account that the workers are compared by
    LEG,
) = range(35)

# Kinds of quick decisions.
PRICE_ALL, LOOK_AT_NONE, LOOK_AT_TWO, LOOK_AT_LEAST = range(4)

# The rule's parameters, reals; see `config.Router`.
(
    OVERLAP_WEIGHT,
    TEMPERATURE,
    OVERLAP_CREDIT,
    HOST_CREDIT,
    REQUEST_WEIGHT,
    LOAD_WEIGHT,
    CREDIT_DECAY,
    EVENT_LAG,
    REPLICA_LAG,
    CACHE_LAG,
    RULE_REALS,
) = range(11)

# An account of a replica on a worker.
KNOWN_ACTIVE, KNOWN_BLOCKS, KNOWN_QUEUED, REGISTERED = range(4)
ACCOUNT = 4

# A ring of news in order of time: where it lies, how much it holds, what is read next and last.
RING_AT, RING_DUE, RING_ROOM, RING_HEAD, RING_TAIL = range(5)
RING_FIELDS = 5
PLACED, ENDED, ENDED_ELSEWHERE, CACHED_NEWS = range(4)
RINGS = 4
# A piece of news. Of a request: who placed it, and what it adds to a worker's account. Of a cache:
# the worker, and the card of the prompt.
BY, ON, NEWS_TOKENS, NEWS_BLOCKS, FIRST_NAME, NAMED = range(6)
NEWS = CARD + 1

# The caches of a pool.
(
    CACHE_WORKERS,
    BLOCK_COUNT,  # shared blocks
    WORDS,  # of a mask of workers
    HOLDERS,  # BLOCK_COUNT x WORDS
    NODES,  # workers x BLOCK_COUNT shared blocks, then runs
    FIRST_RUN,  # number of the first run
    RUNS_ROOM,
    SPARE,  # how many runs are free
    SPARES,  # their numbers
    LISTS,  # workers x TIERS x LIST
    CAPACITY,  # of each tier, blocks
    CAPACITY_HOST,
    CACHE,
) = range(13)
# A node of a list of blocks from the least to the most recently used.
OLDER, NEWER, TIER, COUNT = range(4)
NODE = 4
OLDEST, NEWEST, SIZE = range(3)
LIST = 3
DEVICE, HOST = 0, 1
TIERS = 2

# Why the loop returns.
FINISHED, DRAINED, REFILL, MORE_ROWS, MORE_EVENTS, MORE_ENDS, MORE_NEWS, MORE_RUNS = range(8)
MORE_LISTS, MORE_CHANGES = 8, 9
