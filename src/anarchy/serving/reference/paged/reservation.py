"""Room on a decode worker for prompts that are to be transferred there, given in their order."""

from collections import deque
from collections.abc import Callable

from anarchy.config.engine import Engine
from anarchy.serving.reference.core.block_pool import BlockPool
from anarchy.serving.reference.core.request import Request


class Reservations:
    """The requests that wait for room, and what is promised to those that have got it.

    Only the first one is tried. If it does not fit, it is tried again after a change of the room.
    """

    def __init__(
        self,
        engine: Engine,
        pool: BlockPool,
        block_tokens: int,
        reserved: Callable[[Request], None],
    ) -> None:
        """`reserved` receives each request when its room is reserved."""
        self._all_output = engine.memory.preempt == "never"
        self._caching = engine.cache.enabled
        self._pool = pool
        self._tokens = block_tokens
        self._reserved = reserved
        self.pending: deque[Request] = deque()
        self.promised = 0  # blocks of all reserved requests with their whole output
        self._changes = 0  # of the room
        self._tried = -1  # the change after which the first one was tried last

    @property
    def untried(self) -> bool:
        """Whether somebody waits whom the last change may have made room for."""
        return bool(self.pending) and self._tried != self._changes

    def changed(self) -> None:
        """There may be room that was not there before."""
        self._changes += 1

    def ended(self, request: Request) -> None:
        """A request that had room has left the worker."""
        self.promised -= self.whole(request)
        self.changed()

    def whole(self, request: Request) -> int:
        """Blocks of the prompt and all its output."""
        return -(-(request.input_tokens + request.output_tokens) // self._tokens)

    def try_first(self, free_slots: int) -> None:
        """Give the first request its room, if it is untried and fits and a slot is free."""
        if not self.untried:
            return
        request = self.pending[0]
        if free_slots <= 0 or not self._reserve(request):
            self._tried = self._changes
            return
        self.pending.popleft()
        self._reserved(request)

    def _reserve(self, request: Request) -> bool:
        whole = self.whole(request)
        if self._all_output and self.promised + whole > self._pool.capacity:
            return False
        found = self._pool.match(request.blocks)[0] if self._caching else 0
        fresh = -(-request.input_tokens // self._tokens) - found
        blocks = self._pool.take(request.blocks[:found], fresh)
        if blocks is None:
            return False
        request.held = blocks
        self.promised += whole
        return True
