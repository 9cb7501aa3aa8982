"""The state of a run: its records, and the NamedTuples of their tables that functions hand on.

A request is a number, counted in order of arrival from 0; its record lies at that number modulo the
length of the ring of requests. Records leave in order of arrival once they and all before them are
done. Where the log has a column, the request has a field of its name.
"""

from typing import NamedTuple

from anarchy.serving.compiled.core.numba_types import by_reference
from anarchy.serving.compiled.core.tables import (
    FloatGrid,
    Floats,
    Grid,
    Int32,
    IntGrid,
    Ints,
    Record,
    Table,
)
from anarchy.serving.log.request_log import LoggedRequest

NOBODY = -1

FINISHED, DRAINED, REFILL = range(3)
PAUSED = -1
GROW_REQUESTS, GROW_EVENTS, GROW_COMPLETIONS, GROW_UPDATES, GROW_RUNS = range(3, 8)
"""Why the loop returns: it is done, nothing is left to happen, all that comes next comes after the
time at which the driver wants to look, or something runs short."""


class Settings(Record):
    """What a run keeps to. Lengths in tokens, times in seconds."""

    warmup: int  # completions that are not measured
    measured: int  # completions that are
    clients: int  # of a closed loop; 0 for other workloads
    replicas: int  # of each router
    batch_requests: int
    batch_tokens: int
    block_tokens: int
    kv_bytes_per_token: int
    slots: int
    largest_batch: int  # of the latency table
    last_context: int
    log_costs: bool  # whether to keep what the routers saw
    caching: bool
    whole_blocks: bool  # whether prompts take whole blocks only
    tiered: bool  # whether blocks may have to be fetched from host memory
    serial: bool  # whether a prefill step fetches first and computes then
    recompute: bool
    step_is_first_token: bool
    frontend_overhead: float
    frontend_serial: bool
    handoff_overhead: float
    handoff_bandwidth: float
    fetch_latency: float
    fetch_seconds: float  # for a block


class Progress(Record):
    """How far a run is."""

    now: float
    pause_at: float  # when the driver wants to look
    clients: int  # those of a closed loop that go on asking
    events: int  # how many are scheduled
    events_ever: int  # how many have been
    first_request: int  # number of the first one in the ring
    arrived: int  # number of the next one to arrive
    completions: int
    prefills_beyond: int  # look-ups of prefill beyond the latency table
    lookahead: int  # moves of a request that there are asks, times and draws for
    asks_read: int
    arrivals_read: int
    thinks_read: int
    frontend_free: float  # when a serial frontend has done all that it has
    frontend_work: float  # seconds of all requests that it ever had
    # As read when the warm-up ended.
    read_at: float
    frontend_read: float
    beyond_read: int


class Entry(Record):
    """An entry of a heap: the first one has the least key and, of those, the least order."""

    key: float  # of an event its time, of a request in a decode batch its last step
    order: int
    kind: int  # of an event
    number: int  # of the client, worker or request


class Ask(Record):
    """What a request asks. Its prompt is blocks that others may share, then blocks of its own."""

    prompt: int
    tenant: int
    input_tokens: int
    output_tokens: int
    prompt_blocks: int
    first_shared: int  # place of its shared blocks in `State.blocks`
    shared_blocks: int
    first_own: int  # name of its first own block
    own_blocks: int
    ids: int  # paged memory: blocks of the workload that hold the shared ones


class Request(Ask, LoggedRequest):
    """A request on its way."""

    client: int
    replica: int  # of the router
    expected_tokens: int  # that the router thinks prefill has to compute
    fetched_tokens: int  # of the cached ones, those that were in host memory
    completion: int  # 1 for the first request done, and so on; 0 before
    following: int  # the request behind it in its queue or batch


class PrefillWorker(Record):
    """A prefill worker: its queue, its running step, and what it has done (seconds)."""

    queue_head: int
    queue_tail: int
    batch_head: int
    batch_size: int
    speed: int  # number of its latency table
    running: bool
    started: float
    duration: float
    step_work: float  # of the step, as a part of a full one
    busy: float
    work: float
    busy_read: float
    work_read: float


class Line(Record):
    """ITL over the mean context: value + slope * max(0, context - start)."""

    start: float
    value: float
    slope: float


class DecodeWorker(Record):
    """A decode worker: its queue, its batch, and its steps up to the change that is due."""

    wait_head: int
    wait_tail: int
    waiting: int
    batch: int
    context: int  # tokens of the whole batch
    steps: int  # ever made
    due_steps: int
    order: int  # of the last admission
    beyond: int  # steps beyond the latency table
    speed: int  # number of its latency table
    boundary: float
    due: float
    line: Line
    busy: float
    busy_read: float


class Rule(Record):
    """A dispatcher's policy and parameters; see `config.Router`."""

    policy: int
    ties: int
    imbalance: int
    hash_blocks: int
    tie_stream: int
    softmax_stream: int
    shortcut: int  # how to decide without pricing all workers
    is_prefill: bool
    indexed: bool  # whether it knows what workers have cached
    normalise: bool
    decode_overlap: bool
    prefill_blocks: bool
    immediate: bool  # one replica that hears at once: its loads are the truth
    distinct: bool  # whether a block that several requests share counts once
    generated: bool  # whether blocks of output count
    overlooked: int  # the first so many workers are never counted
    penalty: bool  # whether workers that a replica has never heard of are punished
    by_blocks: bool  # whether the tree compares blocks, not requests
    overlap_weight: float
    temperature: float
    overlap_credit: float
    host_credit: float
    request_weight: float
    load_weight: float
    crowding: float
    credit_decay: float
    event_lag: float
    replica_lag: float
    cache_lag: float


class View(Record):
    """A worker as the dispatcher sees it when it decides."""

    active: int  # requests: the truth
    active_blocks: int
    added_blocks: int  # by the new request
    overlap: int  # blocks
    on_host: int  # of these
    output_blocks: int  # set by the system before a decision, if they count
    speed: float  # as the router knows it, 1 if it does not


class Load(Record):
    """What a replica of a router thinks that a worker has to do."""

    active: int
    blocks: int
    queued_tokens: int
    registered: bool  # whether it has ever sent something there


class Update(Record):
    """A change that a router hears of later: of a worker's load, or of its cache."""

    due: float
    replica: int  # that has placed the request
    worker: int
    tokens: int
    blocks: int
    first_shared: int
    shared_blocks: int
    own_blocks: int


class Ring(Record):
    """The entries of a ring in use: numbers `head` to `tail` - 1, modulo its length."""

    head: int
    tail: int


class TreeNode(Record):
    """The least key below a node, and how many leaves have it."""

    least: int
    tied: int


class CacheTotals(Record):
    """What a pool's caches have in common."""

    host_blocks: int  # capacity of host memory
    first_run: int  # its number as a node
    spare_runs: int


class CacheNode(Record):
    """A node of a list of blocks from the least to the most recently used."""

    older: Int32
    newer: Int32
    tier: Int32


class CacheList(Record):
    """The blocks of a worker in one tier."""

    oldest: int
    newest: int
    blocks: int
    room: int  # the tier's capacity in blocks


@by_reference
class PrefixCaches(NamedTuple):
    """The caches of a pool; see `kv_cache.prefix_cache`."""

    totals: CacheTotals
    holders: IntGrid  # blocks x words of a mask of workers
    nodes: Table[CacheNode]  # workers x blocks, then runs
    lists: Grid[CacheList]  # workers x tiers
    runs: Ints  # how many blocks each has
    spare: Ints  # numbers of free runs


@by_reference
class Dispatcher(NamedTuple):
    """One pool's routing stage."""

    rule: Rule
    views: Table[View]
    costs: Floats  # of the workers
    pair: Floats  # costs of two workers
    turns: Ints  # of the replicas: the next worker of round robin
    loads: Grid[Load]  # replicas x workers
    holds: IntGrid  # (replicas x workers) x blocks: requests that hold a shared block
    placement: Update  # of the request that is being placed
    rings: Table[Ring]
    updates: Grid[Update]  # rings x room, each in order of time
    tree: Table[TreeNode]  # empty if all workers are looked at
    seen: PrefixCaches  # what it knows of the caches


@by_reference
class ServiceTimes(NamedTuple):
    """Latency tables of equal axes, one for each speed of workers; number 0 is the nominal one."""

    tokens: Ints
    seconds: FloatGrid  # tables x tokens
    parabolas: FloatGrid  # tables x 2
    batched_tokens: Ints  # empty: prompts together cost as much as one of all their tokens
    batched_seconds: FloatGrid  # tables x batched_tokens
    cached_tokens: Ints  # empty: cached tokens cost nothing
    cached_seconds: FloatGrid  # tables x cached_tokens, for each cached token
    batches: Ints
    known_lines: Grid[Line]  # tables x batches
    lines: Grid[Line]  # tables x all batches up to some size


@by_reference
class State(NamedTuple):
    """All of a run."""

    settings: Settings
    progress: Progress
    events: Table[Entry]
    requests: Table[Request]
    costs: FloatGrid  # of each request: prefill costs, decode costs, active requests at decode
    plan: IntGrid  # first requests x pools: where they go, or NOBODY if the policy decides
    # What the driver supplies.
    asks: Table[Ask]
    arrival_times: Floats  # of an open workload
    think_times: Floats
    draws: FloatGrid  # streams x room, uniform on [0, 1)
    draws_read: Ints
    next_asks: Table[Ask]  # of each client
    # Blocks that prompts may share.
    blocks: Ints  # of all templates or rows, one after the other, numbered densely
    names: Ints  # what these numbers are called in the workload
    service: ServiceTimes
    prefill_workers: Table[PrefillWorker]
    decode_workers: Table[DecodeWorker]
    completions: Grid[Entry]  # heaps: decode workers x room
    to_prefill: Dispatcher
    to_decode: Dispatcher
    prefill_caches: PrefixCaches
    decode_caches: PrefixCaches
