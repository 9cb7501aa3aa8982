"""One request on its way through the system; it is its own event."""

from collections.abc import Sequence

from anarchy.serving.reference.core.block_pool import Block
from anarchy.serving.reference.core.event_queue import Happening


class Request(Happening):
    """The record that becomes a row of the log. Times in seconds, lengths in tokens."""

    __slots__ = (
        "arrival",
        "blocks",
        "cached_by_tier",
        "cached_tokens",
        "client",
        "completion",
        "computed",
        "decode_active",
        "decode_cost",
        "decode_start",
        "decode_worker",
        "done",
        "first_token",
        "footprint",
        "generated",
        "held",
        "input_tokens",
        "joined",
        "order",
        "output_tokens",
        "prefill_cost",
        "prefill_end",
        "prefill_start",
        "prefill_worker",
        "promised",
        "prompt",
        "replica",
        "routed",
        "source",
        "tenant",
        "turn",
    )

    arrival: float
    cached_by_tier: Sequence[int]  # cached_tokens by tier G1 to G4, if the caches have tiers
    computed: int  # tokens whose KV the worker has, while it computes or recomputes them
    decode_start: float
    decode_worker: int
    done: float
    first_token: float
    generated: int  # output tokens when the request joined its decode batch
    held: list[Block]  # blocks that it holds on its decode worker, but for those grown since
    joined: int  # the worker's steps when the request joined its decode batch
    order: int  # in which it became one of the worker's running requests
    prefill_end: float
    prefill_start: float
    prefill_worker: int
    promised: int  # tokens that the router thinks prefill has to compute
    routed: float
    source: list[Block]  # blocks that it holds on its prefill worker
    turn: int  # in which it was sent to its decode worker

    def __init__(
        self,
        prompt: int,
        input_tokens: int,
        output_tokens: int,
        blocks: Sequence[int],
        footprint: int,
        client: int = -1,
    ) -> None:
        """`blocks` are the hashes of the prompt's prefix blocks, `footprint` its size in blocks."""
        self.prompt = prompt
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.blocks = blocks
        self.footprint = footprint
        self.client = client
        self.cached_tokens = 0
        self.completion = 0  # 1 for the first request done, and so on; 0 before
        self.replica = 0  # of the router
        self.tenant = 0  # position in the workload's list of tenants
        self.prefill_cost: list[float] = []
        self.decode_cost: list[float] = []
        self.decode_active: list[int] = []
