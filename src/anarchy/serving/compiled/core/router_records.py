"""What a pool's routing stage knows: its rule, its workers as it sees them, and their caches."""

from typing import NamedTuple

from anarchy.serving.compiled.core.numba_types import by_reference
from anarchy.serving.compiled.core.tables import (
    Floats,
    Grid,
    Int32,
    IntGrid,
    Ints,
    Record,
    Table,
)


class Rule(Record):
    """A dispatcher's policy and parameters; see `config.Router`."""

    policy: int
    ties: int
    imbalance: int
    hash_blocks: int
    tie_stream: int
    softmax_stream: int
    price_all: bool  # whether a decision takes what each worker costs
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
    """A change that a router hears of later: of a worker's load, or of its cache.

    With paged memory caches change by names: by the one of `first_shared`, and by `blocks`.
    """

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


class CacheNode(Record):
    """A node of a list of blocks from the least to the most recently used."""

    older: Int32
    newer: Int32
    tier: Int32
    own: Int32  # blocks of single requests just before it


class CacheList(Record):
    """The blocks of a worker in one tier."""

    oldest: int
    newest: int
    own: int  # blocks of single requests behind the newest node
    blocks: int
    room: int  # the tier's capacity in blocks


@by_reference
class PrefixCaches(NamedTuple):
    """The caches of a pool; see `kv_cache.prefix_cache`."""

    holders: IntGrid  # blocks x words of a mask of workers
    nodes: Table[CacheNode]  # workers x blocks; none of paged memory, which has its own order
    lists: Grid[CacheList]  # workers x tiers


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
