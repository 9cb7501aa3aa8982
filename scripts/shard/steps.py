"""One step of an engine, and what it costs at least: bytes to move and operations to do."""

from dataclasses import dataclass

from shard.shapes import Shape


@dataclass(frozen=True)
class Step:
    """`prompts` sequences take in `tokens` new tokens each, behind `cached` ones.

    A decode step at context c is one new token behind c - 1: the new one attends to c tokens, of
    which it is one.
    """

    prompts: int
    tokens: int
    cached: int

    @property
    def new(self) -> int:
        """Tokens that go through the layers."""
        return self.prompts * self.tokens

    @property
    def context(self) -> int:
        """Tokens of each sequence after the step."""
        return self.cached + self.tokens


def streamed_bytes(shape: Shape, step: Step) -> int:
    """What has to pass between memory and the GPU: all weights and the KV cache, once each."""
    return shape.weight_bytes + kv_bytes(shape, step)


def kv_bytes(shape: Shape, step: Step) -> int:
    """The KV cache of all sequences after the step."""
    return step.prompts * step.context * shape.kv_bytes_per_token


def operations(shape: Shape, step: Step) -> int:
    """Floating-point operations of matrices and attention; a multiplication and an addition are 2.

    The head computes the logits of the last token of each sequence. Each new token attends to those
    before it and itself: a product with the keys and one with the values.
    """
    layers = 2 * step.new * shape.layers * shape.layer_weights
    head = 2 * step.prompts * shape.d * shape.vocab
    pairs = step.tokens * step.cached + step.tokens * (step.tokens + 1) // 2
    attention = 4 * step.prompts * pairs * shape.layers * shape.q * shape.hd
    return layers + head + attention
