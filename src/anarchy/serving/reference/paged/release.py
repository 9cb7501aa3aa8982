"""What requests leave of their blocks on a decode worker: whole ones stay cached, tails oldest."""

from anarchy.serving.reference.core.block_pool import BlockNames, BlockPool
from anarchy.serving.reference.core.request import Request


class Releases:
    """Takes blocks back from the requests of one worker."""

    def __init__(
        self, pool: BlockPool, names: BlockNames, block_tokens: int, caching: bool
    ) -> None:
        self._pool = pool
        self._names = names
        self._tokens = block_tokens
        self._caching = caching

    def ended(self, request: Request) -> None:
        """Nobody asks for the blocks of its output again, so that they need no lasting names."""
        whole, held = self._whole(request), request.held
        for _ in range(self._settle_grown(request)):
            self._pool.keep(None)
        for block in held[len(request.blocks) : min(whole, len(held))]:
            if block.name is None:
                self._pool.name(block, self._names.unique(1))
        self._pool.release(held)

    def preempted(self, request: Request) -> None:
        """It will look for its blocks when it starts anew, so that all of them get names."""
        names = request.blocks = [*request.blocks]
        missing = (request.input_tokens + request.generated) // self._tokens - len(names)
        first = self._names.unique(max(0, missing))
        names += range(first, first + max(0, missing))
        whole, held = self._whole(request), request.held
        for place in reversed(range(len(held), len(held) + self._settle_grown(request))):
            self._pool.keep(names[place])
        for block, name in zip(held[:whole], names, strict=False):
            if block.name is None:
                self._pool.name(block, name)
        self._pool.release(held)

    def _whole(self, request: Request) -> int:
        """Its whole computed blocks, which may stay cached."""
        return request.computed // self._tokens if self._caching else 0

    def _settle_grown(self, request: Request) -> int:
        """Free the blocks that it has grown, but for those that stay cached: how many do."""
        grown = -(-request.computed // self._tokens) - len(request.held)
        kept = max(0, self._whole(request) - len(request.held))
        self._pool.free += grown - kept
        return kept
