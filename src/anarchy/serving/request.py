"""One request on its way through the system; it is its own event."""

from anarchy.serving.clock import Happening


class Request(Happening):
    """The record that becomes a row of the log. Times in seconds, lengths in tokens."""

    __slots__ = (
        "arrival",
        "blocks",
        "cached_tokens",
        "client",
        "completion",
        "decode_active",
        "decode_cost",
        "decode_start",
        "decode_worker",
        "done",
        "first_token",
        "footprint",
        "input_tokens",
        "output_tokens",
        "prefill_cost",
        "prefill_end",
        "prefill_start",
        "prefill_worker",
        "promised",
        "prompt",
        "routed",
    )

    arrival: float
    decode_start: float
    decode_worker: int
    done: float
    first_token: float
    prefill_end: float
    prefill_start: float
    prefill_worker: int
    routed: float

    def __init__(
        self,
        prompt: int,
        input_tokens: int,
        output_tokens: int,
        blocks: tuple[int, ...],
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
        self.promised = 0
        self.prefill_cost: list[float] = []
        self.decode_cost: list[float] = []
        self.decode_active: list[int] = []
