"""The names of the places that a system with paged memory has beside those of `kernel.layout`.

Blocks, names and requests are numbers. A worker's blocks are counted from 0. A name that several
prompts may share is a number below SHARED_NAMES; after these come the names that only one request
has, PLACES for each request: its n-th block, whether it is of the prompt or of the output.
"""

from anarchy.serving.compiled.core.records import CACHE

# What there is one of; ints[PAGED] is its address.
(
    BLOCKS,  # of each worker
    CHUNKED,
    EARLY,  # whether blocks are found as soon as they are scheduled
    PREEMPT,
    HANDOFF_IS_FIRST_TOKEN,
    SHARED_NAMES,
    PLACES,
    NUMBERED,  # whether names have the reference's numbers, for policies that look at them
    NEXT_NUMBER,
    PARTS,  # engine blocks of a block of the workload
    STATIONS,  # records of all workers, prefill before decode
    OWN_MASK,  # entries - 1 of each worker's table of names that are not shared
    LINKS,  # the ring of the rows' further fields
    # What is due at this instant.
    ACTIONS,  # address of what to do for requests, in order
    ACTION_READ,
    ACTION_COUNT,
    READY,  # address of a flag for each worker: whether it is to begin a step
    SETTLING,  # whether the instant's last event is scheduled
    # Lists of blocks.
    LISTS_AT,
    LISTS_END,
    LISTS_ROOM,
    LISTS_LARGEST,  # entries of the lists of one request at most
    LISTS_SPARE,  # address of the first free list of each size
    PAGED_HEADER,
) = range(24)

PREEMPT_RULES = ("last", "first", "never")
LAST_ADMITTED, _, NEVER = range(len(PREEMPT_RULES))

# Further fields of a request's row.
(
    FOLLOWING,  # its neighbours in the chain that it is in
    PRECEDING,
    COMPUTED,  # tokens whose KV the worker has, while it computes them
    SCHEDULED,  # tokens that the running step computes
    BEFORE,  # tokens that were there before it
    SOURCE,  # its list of blocks on the prefill worker
    HELD,  # on the decode worker
    MADE,  # output tokens when it joined its decode batch
    JOINED,  # the worker's steps when it did
    ARRIVED_AS,  # in which turn it was sent to its decode worker
    ADMITTED_AS,
    NAMED_PLACES,  # how many of its blocks have names
    ANEW,  # whether it computes old tokens again
    CONTINUED,  # whether this step has served it already
    NEWCOMER,  # the next of those that have joined at this step
    LINK,
) = range(16)

# A chain of requests.
FIRST, FINAL, LENGTH = range(3)

# A worker: its memory,
(
    FREE,  # blocks that hold nothing
    IDLE,  # cached blocks that nobody holds
    LEAST_RECENT,
    MOST_RECENT,
    UNUSED,  # the first of the chain of blocks that have been given back
    UNTOUCHED,  # blocks from here on have never been taken
    BLOCKS_AT,
    TWINS_AT,  # for each block the next younger copy
    FOUND_AT,  # for each shared name the block that is found
    OWN_AT,  # a hash table of the blocks that have names of one request
    # what the router has to hear when the running step ends,
    INDEX,  # address of what it knows of the pool, 0 if nothing
    NUMBER,  # of the worker in its pool
    CHANGES_AT,  # shared names that have appeared or disappeared
    CHANGES_ROOM,
    CHANGED,  # how many they are
    OWN_CHANGE,  # by how many names of single requests the cache has grown
    PREEMPTIONS,
    # of a prefill worker, its running step and what is to be released at its end,
    STEP_TOKENS,
    STEP_PROMPTS,
    FIRST_RELEASE,
    FINAL_RELEASE,
    # of a decode worker, what `serving.paged_decode` has in its attributes,
    PHASES,  # address of BLOCK_TOKENS counts
    ENDING,  # entries of the heap of ends
    TURNS_GIVEN,
    CHANGES,
    TRIED,
    PROMISED_BLOCKS,
    IRREGULAR,
    RECOMPUTING,  # how many requests compute old tokens again
) = range(29)
# and chains of requests: those that wait to run, those that run; on a decode worker also those
# without room and those that came within a step.
QUEUED, ADMITTED, PENDING, ENTERED, STATION = range(29, 42, 3)

# A block of memory; NEWER links those that have been given back, too.
NAME, HOLDERS, OLDER, NEWER = range(4)
BLOCK = 4
UNNAMED, ANONYMOUS = -1, -2  # an anonymous block stays cached, but nobody will ask for it

# What is found under a name: a block + 1, or 0, and marks.
FOUND_BLOCK = (1 << 32) - 1
HAS_TWINS = 1 << 32
IS_CHANGED = 1 << 33  # the name is among CHANGES
IS_TOLD = 1 << 34  # the router has been told that it is there

# A list of blocks; its place is counted from LISTS_AT.
NEXT_LIST, COUNT, ORDER = range(3)
ENTRIES = 3
ORDERS = 40

# What a router knows of a pool is a record of caches (see `kernel.caches`) with a ring behind it,
# of changes that it is yet to hear of: the address of its entries, of the times when they are due,
# how many it has room for, which are read next and last, and the address of the lag.
LATE_AT, LATE_DUE, LATE_ROOM, LATE_HEAD, LATE_TAIL, LATE_LAG = range(CACHE, CACHE + 6)
KNOWLEDGE = CACHE + 6
# A change: of which worker, of what name (NOBODY: of names that nobody asks for), by how much.
CHANGE_OF, CHANGE_NAME, CHANGE_SIZE, CHANGE = range(4)

# What is to be done for a request at this instant.
PREFILLED, TRANSFER, RELEASE, ACTIVATE, PLACE, ACTION = range(6)
