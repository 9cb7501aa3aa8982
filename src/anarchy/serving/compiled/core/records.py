"""The state of a run: its records, and the NamedTuple of their tables that functions hand on.

A request is a number, counted in order of arrival from 0; its record lies at that number modulo the
length of the ring of requests. Records leave in order of arrival once they and all before them are
done. Where the log has a column, the request has a field of its name.

Blocks of paged memory and their names are numbers, too. A worker's blocks are counted from 1; block
0 is none, and stands between the ends of its list of idle blocks. A name that several prompts may
share is its place in `State.names`; behind these come the names that only one request has,
`own_names` for each request: its n-th block, whether it is of the prompt or of the output.
"""

from typing import NamedTuple

from anarchy.serving.compiled.core.numba_types import by_reference
from anarchy.serving.compiled.core.router_records import Dispatcher, PrefixCaches
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

FINISHED, DRAINED, PAUSED, THRASHES = range(4)
REFILL, GROW_REQUESTS, GROW_EVENTS, GROW_COMPLETIONS, GROW_UPDATES, GROW_LISTS = range(4, 10)
"""Why the loop returns: it is done, nothing is left to happen, all that comes next comes after the
time at which the driver wants to look, requests preempt each other for ever, or something runs
short."""

FIRST_TOKENS = ("prefill", "handoff", "decode-step")
AT_PREFILL, AT_HANDOFF, AT_STEP = range(len(FIRST_TOKENS))

PREEMPT_RULES = ("last", "first", "never")
LAST_ADMITTED, _, NEVER = range(len(PREEMPT_RULES))

UNNAMED, ANONYMOUS = -1, -2
"""Names of blocks that cannot be found; an anonymous one stays cached, but nobody will ask for
it."""

UNNUMBERED = -1
"""What the reference calls a name that no prompt has had yet."""

PREFILLED, TRANSFER, RELEASE, ACTIVATE, PLACE = range(5)
"""What is to be done for a request at an instant."""


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
    first_token: int  # the definition's place in FIRST_TOKENS
    frontend_overhead: float
    frontend_serial: bool
    handoff_overhead: float
    handoff_bandwidth: float
    fetch_latency: float
    fetch_seconds: float  # for a block
    # With paged memory.
    paged: bool
    chunked: bool
    early: bool  # whether blocks are found as soon as they are scheduled
    numbered: bool  # whether names have the reference's numbers, for policies that look at them
    preempt: int  # the rule's place in PREEMPT_RULES
    most_preemptions: int  # on a worker since a request was last done, at which the run ends
    memory_blocks: int  # of each worker
    own_names: int
    parts: int  # engine blocks of a block of the workload
    largest_lists: int  # places in `held` that the two lists of one request take at most


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
    times_read: int
    frontend_free: float  # when a serial frontend has done all that it has
    frontend_work: float  # seconds of all requests that it ever had
    # With paged memory.
    next_number: int  # of a name
    actions_read: int
    actions_due: int
    settling: bool  # whether the instant's last event is scheduled
    lists_used: int
    held_used: int
    thrashes: bool  # whether a worker preempts requests and none is done
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
    following: int  # its neighbours in the list that it is in
    preceding: int
    first_name: int  # paged memory: of its blocks, had it none that are shared


class Sequence(Record):
    """What there is of a request with paged memory beside its `Request`."""

    computed: int  # tokens whose KV the worker has, while it computes them
    scheduled: int  # of these, the ones that the running step computes
    source: int  # its list of blocks on the prefill worker
    target: int  # on the decode worker
    known: int  # its tokens when it joined its decode batch
    joined: int  # the worker's steps when it did
    turn: int  # in which it was sent to its decode worker
    order: int  # of admission
    named: int  # how many of its blocks have names
    recomputing: bool  # whether it computes old tokens again
    continued: bool  # whether this step has served it already


class LinkedList(Record):
    """Requests in some order, linked with each other; each is in one list at a time.

    There is none behind the last one, but what precedes the first one says nothing.
    """

    first: int  # NOBODY if there is none
    last: int  # if there is one
    length: int


class PrefillWorker(Record):
    """A prefill worker: its prompts, its step, and what it has done (seconds)."""

    waiting: LinkedList
    running: LinkedList  # the prompts of the step; with paged memory all that have begun
    speed: int  # number of its latency table
    computing: bool
    started: float
    duration: float
    step_work: float  # of the step, as a part of a full one
    busy: float
    work: float
    busy_read: float
    work_read: float
    # With paged memory.
    ready: bool  # whether it is to begin a step at this instant
    preemptions: int
    latest_done: int  # the preemptions when a prompt was last done
    step_tokens: int
    step_prompts: int
    step_cached: int  # computed before, and attended to
    first_release: int  # lists of blocks to be released when the step ends
    last_release: int


class Line(Record):
    """ITL over the mean context: value + slope * max(0, context - start)."""

    start: float
    value: float
    slope: float


class DecodeWorker(Record):
    """A decode worker: its requests, and its steps up to the change of its batch that is due."""

    waiting: LinkedList
    ended: LinkedList  # with this step
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
    # With paged memory.
    pending: LinkedList  # without room
    entered: LinkedList  # that came within a step
    running: LinkedList
    ready: bool  # whether it is to begin a step at this instant
    tried: bool  # whether the first pending request has found no room as it is
    irregular: bool  # whether some running sequence makes no token in this step
    preemptions: int
    latest_done: int  # the preemptions when a request was last done
    completions: int  # entries of its heap of completions
    turns: int
    promised_blocks: int  # of all reserved requests with their whole output
    recomputing: int  # how many requests compute old tokens again


class Block(Record):
    """A block of memory."""

    name: int
    holders: Int32
    older: Int32  # its neighbours among the idle blocks
    newer: Int32  # of one that has been given back: the next of these
    younger: Int32  # the next younger copy, under the same name


class Found(Record):
    """What is found under a shared name on a worker."""

    block: Int32
    changed: bool  # whether the name is among the changed ones
    published: bool  # whether the router knows that it is there


class BlockPool(Record):
    """A worker's memory, and what its router hears when the running step ends."""

    free: int  # blocks that hold nothing
    idle: int  # cached blocks that nobody holds
    returned: int  # the first of those that have been given back
    untouched: int  # blocks from here on have never been taken
    indexed: bool  # whether the router hears anything
    changed: int  # how many shared names have appeared or disappeared
    own_change: int  # by how many names of single requests the cache has grown


class BlockList(Record):
    """The blocks that a request holds on a worker: a stretch of `State.held`."""

    start: int
    order: int  # there is room for 2**order
    count: int
    following: int  # of spare lists, and of those to be released


class Action(Record):
    """What is to be done for a request at this instant."""

    kind: int
    number: int


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
    times: Floats  # at which requests arrive or, in a closed loop, for which clients think
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
    # Paged memory. Each worker has a block pool; those of prefill workers come first, and the rows
    # of what the pools have are numbered alike.
    sequences: Table[Sequence]  # a ring as long as that of the requests
    phases: IntGrid  # decode workers x block_tokens: sequences by the step that takes a block
    actions: Table[Action]
    pools: Table[BlockPool]
    memory: Grid[Block]
    found: Grid[Found]  # pools x shared names
    own: IntGrid  # pools x places of a hash table: blocks with names of one request
    changed: IntGrid  # pools x room for changed names
    lists: Table[BlockList]
    held: Ints
    spare_lists: Ints  # the first one of each order
