"""A worker's KV memory in blocks: what requests hold and what stays cached behind them.

A block is held by the requests that compute or read it. Once its tokens are computed it may get a
name, which stands for the whole prefix up to its end, and other prompts find it by that name.
When nobody holds a named block any longer, it stays as the most recently used one until its room
is needed; an unnamed one is free at once. Two requests may compute the same block: both copies
take room, and the older one is found.

Source: the paged KV cache of vLLM (Kwon et al., SOSP 2023).
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

Names = Sequence[int]


class Block:
    """One block of memory: its name, if others may find it, and how many requests hold it."""

    __slots__ = ("holders", "name")

    def __init__(self) -> None:
        self.name: int | None = None
        self.holders = 1


class BlockPool:
    """`capacity` blocks of one worker, and which of them are found under which name.

    `stored` and `removed`, when given, are told of every name that appears and disappears.
    """

    __slots__ = ("_copies", "_found", "_idle", "capacity", "free", "removed", "stored")

    def __init__(
        self,
        capacity: int,
        stored: Callable[[int], None] | None = None,
        removed: Callable[[int], None] | None = None,
    ) -> None:
        self.capacity = capacity
        self.free = capacity  # blocks that hold nothing
        self.stored = stored
        self.removed = removed
        self._found: dict[int, Block] = {}
        self._copies: dict[int, list[Block]] = {}  # the younger copies of a name
        # The first is the least recently used; a plain dict would seek it past all deleted ones.
        self._idle: OrderedDict[Block, None] = OrderedDict()

    @property
    def available(self) -> int:
        """Blocks that can be taken: free ones and cached ones that nobody holds."""
        return self.free + len(self._idle)

    @property
    def held(self) -> int:
        """Blocks that requests hold."""
        return self.capacity - self.free - len(self._idle)

    def match(self, names: Names) -> tuple[int, int]:
        """How many leading names are found, and how many of those blocks somebody holds."""
        found = self._found
        depth = held = 0
        for name in names:
            block = found.get(name)
            if block is None:
                break
            depth += 1
            if block.holders:
                held += 1
        return depth, held

    def take(self, names: Names, fresh: int) -> list[Block] | None:
        """Hold the found blocks of all `names` and `fresh` new ones; None, when there is no room.

        Cached blocks make room in order of their last use.
        """
        found, idle = self._found, self._idle
        blocks = [found[name] for name in names]
        room = self.free + len(idle)
        if fresh > room - len(blocks):  # only then can it matter how many of them are idle
            room -= sum(not block.holders for block in blocks)
            if fresh > room:
                return None
        for block in blocks:
            if not block.holders:
                del idle[block]
            block.holders += 1
        self.grow(fresh)
        blocks += [Block() for _ in range(fresh)]
        return blocks

    def grow(self, fresh: int) -> None:
        """Take room for `fresh` <= `available` blocks that the caller accounts for by number."""
        self.free -= fresh
        while self.free < 0:
            self._evict()

    def name(self, block: Block, name: int) -> None:
        """Let others find a held, computed block."""
        block.name = name
        if name in self._found:
            self._copies.setdefault(name, []).append(block)
            return
        self._found[name] = block
        if self.stored is not None:
            self.stored(name)

    def keep(self, name: int | None) -> None:
        """Turn one grown block into a cached one that nobody holds, the most recently used."""
        block = Block()
        block.holders = 0
        if name is not None:
            self.name(block, name)
        self._idle[block] = None

    def release(self, blocks: Sequence[Block]) -> None:
        """Let go of a request's blocks; the tail of a prefix becomes older than its head."""
        idle = self._idle
        for block in reversed(blocks):
            block.holders -= 1
            if not block.holders:
                if block.name is None:
                    self.free += 1
                else:
                    idle[block] = None

    def _evict(self) -> None:
        block = self._idle.popitem(last=False)[0]
        self.free += 1
        name = block.name
        if name is None:
            return
        copies = self._copies.get(name)
        if copies is None:
            del self._found[name]
            if self.removed is not None:
                self.removed(name)
            return
        if self._found[name] is block:
            self._found[name] = copies.pop(0)
        else:
            copies.remove(block)
        if not copies:
            del self._copies[name]


class BlockNames:
    """Names for the whole blocks of prompts whose prefixes come as ids of longer blocks.

    A workload's block of `source_tokens` tokens is cut into engine blocks of `block_tokens`; the
    same ids in the same order are the same prefix, whatever each of them says alone.
    """

    def __init__(self, source_tokens: int, block_tokens: int) -> None:
        """`block_tokens` must divide `source_tokens`."""
        self._parts = source_tokens // block_tokens
        self._block_tokens = block_tokens
        self._next = 0
        self._chains: dict[tuple[int, int], int] = {}

    def names(self, ids: Sequence[int], tokens: int) -> list[int]:
        """Names of the whole blocks of a prompt of `tokens` tokens; what no id covers is unique."""
        whole = tokens // self._block_tokens
        parts, chains = self._parts, self._chains
        names: list[int] = []
        chain = -1
        for source in ids:
            key = (chain, source)
            known = chains.get(key)
            if known is None:
                known = chains[key] = self.unique(parts)
            chain = known
            names += range(chain, chain + parts)
        if len(names) > whole:
            del names[whole:]
        elif len(names) < whole:
            missing = whole - len(names)
            first = self.unique(missing)
            names += range(first, first + missing)
        return names

    def unique(self, count: int) -> int:
        """The first of `count` consecutive names that nobody has."""
        first = self._next
        self._next += count
        return first
