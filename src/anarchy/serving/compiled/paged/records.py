"""The records of a system with paged memory, and its state: beside those of the plain system.

Blocks, names and requests are numbers. A worker's blocks are counted from 1; block 0 is none, and
stands between the ends of its list of idle blocks. A name that several prompts may share is its
place in `State.names`; behind these come the names that only one request has, `own_names` for each
request: its n-th block, whether it is of the prompt or of the output.
"""

from typing import NamedTuple

from anarchy.serving.compiled.core.numba_types import by_reference
from anarchy.serving.compiled.core.records import Ring, State
from anarchy.serving.compiled.core.tables import Grid, Int32, IntGrid, Ints, Record, Table

GROW_LISTS, GROW_CHANGES, THRASHES = 8, 9, 10
"""Why the loop returns, beside the reasons of the plain one."""

PREEMPT_RULES = ("last", "first", "never")
LAST_ADMITTED, _, NEVER = range(len(PREEMPT_RULES))

PREFILL, DECODE = range(2)
"""The sides of a system."""

UNNAMED, ANONYMOUS = -1, -2
"""Names of blocks that cannot be found; an anonymous one stays cached, but nobody will ask for
it."""

UNNUMBERED = -1
"""What the reference calls a name that no prompt has had yet."""

PREFILLED, TRANSFER, RELEASE, ACTIVATE, PLACE = range(5)
"""What is to be done for a request at an instant."""


class PagedSettings(Record):
    """What a run keeps to."""

    chunked: bool
    early: bool  # whether blocks are found as soon as they are scheduled
    handoff_is_first_token: bool
    numbered: bool  # whether names have the reference's numbers, for policies that look at them
    preempt: int  # the rule's place in PREEMPT_RULES
    most_preemptions: int  # on a worker since a request was last done, at which the run ends
    memory_blocks: int  # of each worker
    shared_names: int
    own_names: int
    parts: int  # engine blocks of a block of the workload
    largest_lists: int  # places in `held` that the two lists of one request take at most


class PagedProgress(Record):
    """How far a run is."""

    next_number: int  # of a name
    actions_read: int
    actions_due: int
    settling: bool  # whether the instant's last event is scheduled
    lists_used: int
    held_used: int
    thrashes: bool  # whether a worker preempts requests and none is done


class LinkedList(Record):
    """Requests in some order, linked through their sequences; each is in one list at a time."""

    first: int
    last: int
    length: int


class Sequence(Record):
    """What there is of a request beside its `Request`."""

    following: int  # its neighbours in the list that it is in
    preceding: int
    computed: int  # tokens whose KV the worker has, while it computes them
    scheduled: int  # tokens that the running step computes
    before: int  # tokens that were there before it
    source: int  # its list of blocks on the prefill worker
    target: int  # on the decode worker
    generated: int  # output tokens when it joined its decode batch
    joined: int  # the worker's steps when it did
    turn: int  # in which it was sent to its decode worker
    order: int  # of admission
    named: int  # how many of its blocks have names
    next_newcomer: int  # the next of those that have joined at this step
    recomputing: bool  # whether it computes old tokens again
    continued: bool  # whether this step has served it already


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
    side: int  # PREFILL or DECODE
    worker: int  # its number on this side
    indexed: bool  # whether the router hears anything
    changed: int  # how many shared names have appeared or disappeared
    own_change: int  # by how many names of single requests the cache has grown


class BlockList(Record):
    """The blocks that a request holds on a worker: a stretch of `PagedState.held`."""

    start: int
    order: int  # there is room for 2**order
    count: int
    following: int  # of spare lists, and of those to be released


class PrefillQueue(Record):
    """The prompts of a prefill worker."""

    waiting: LinkedList
    running: LinkedList
    ready: bool  # whether it is to begin a step at this instant
    preemptions: int
    latest_done: int  # the preemptions when a prompt was last done
    step_tokens: int
    step_prompts: int
    step_cached: int  # computed before, and attended to
    first_release: int  # lists of blocks to be released when the step ends
    last_release: int


class DecodeQueue(Record):
    """The requests of a decode worker, and what else `reference.paged.decode` knows of them."""

    pending: LinkedList  # without room
    entered: LinkedList  # that came within a step
    waiting: LinkedList
    running: LinkedList
    ready: bool  # whether it is to begin a step at this instant
    tried: bool  # whether the first pending request has found no room as it is
    irregular: bool  # whether some running sequence makes no token in this step
    preemptions: int
    latest_done: int  # the preemptions when a request was last done
    completions: int  # entries of the heap of completions
    turns: int
    promised_blocks: int  # of all reserved requests with their whole output
    recomputing: int  # how many requests compute old tokens again


class Action(Record):
    """What is to be done for a request at this instant."""

    kind: int
    number: int


class LateChange(Record):
    """A change of a worker's cache that the router hears of later."""

    due: float
    worker: int
    name: int  # NOBODY: names that nobody asks for
    growth: int


@by_reference
class PagedState(NamedTuple):
    """All of a run. Each worker has a block pool; those of prefill workers come first."""

    plain: State
    settings: PagedSettings
    progress: PagedProgress
    sequences: Table[Sequence]  # a ring as long as that of the requests
    prefill: Table[PrefillQueue]
    decode: Table[DecodeQueue]
    phases: IntGrid  # decode workers x block_tokens: sequences by the step that takes a block
    actions: Table[Action]
    # The memory of all workers; `pools` and the rows of the others are numbered alike.
    pools: Table[BlockPool]
    blocks: Grid[Block]
    found: Grid[Found]  # pools x shared names
    own: IntGrid  # pools x places of a hash table: blocks with names of one request
    changed: IntGrid  # pools x room for changed names
    # Lists of blocks.
    lists: Table[BlockList]
    held: Ints
    spare_lists: Ints  # the first one of each order
    # What the routers of both sides hear late.
    rings: Table[Ring]
    late_changes: Grid[LateChange]


class BlockNames(NamedTuple):
    """The names of a request's blocks."""

    shared: Ints
    own: int  # the name of the first one if it is not shared
