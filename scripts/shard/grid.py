"""Which steps are measured, how often, and under which keys the file of measurements has them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from shard.steps import Step

Kind = Literal["decode", "prefill", "jitter"]
Name = tuple[Kind | float, ...]

KEYS: dict[Kind, tuple[str, ...]] = {
    "decode": ("batch", "context"),
    "prefill": ("prompts", "tokens", "cached"),
    "jitter": ("batch", "tokens"),
}
"""The lists of the file, and what names a step in each."""

BATCHES = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256)
CONTEXTS = (128, 256, 512, 1024, 2048, 4096, 8192, 16384)
TOKENS = (16, 32, 64, 128, 192, 256, 384, 512, 768)
LONG_TOKENS = (1024, 1536, 2048, 3072, 4096, 6144, 8192, 16384)
PROMPTS = (2, 3, 4, 6, 8, 12, 16, 32, 64)
PROMPT = 128
"""Tokens of each of several prompts of a step, and of the prompt whose jitter is measured."""

BEHIND = ((16, 112), (128, 384), (512, 1536), (512, 7680), (2048, 6144))
"""New tokens and cached ones of the prefills that find something in the cache."""

DECODE_REPLAYS, PREFILL_REPLAYS, LONG_REPLAYS, JITTER_REPLAYS = 30, 20, 6, 600

LONG = 6144
"""New tokens of a step from which on fewer replays do."""

JITTER_BATCH, JITTER_CONTEXT = 64, 256


@dataclass(frozen=True)
class Cell:
    """A step to be measured `replays` times."""

    kind: Kind
    step: Step
    replays: int

    @property
    def keys(self) -> dict[str, int]:
        """What names the step in its list of the file."""
        step = self.step
        places = {
            "decode": (step.prompts, step.context),
            "prefill": (step.prompts, step.tokens, step.cached),
            "jitter": (step.prompts, step.tokens),
        }
        return dict(zip(KEYS[self.kind], places[self.kind], strict=True))

    @property
    def name(self) -> Name:
        """The kind and the values of its keys: what tells cells apart."""
        return (self.kind, *self.keys.values())


def full() -> list[Cell]:
    """All cells, in the order of the file."""
    decode = [(batch, context) for context in CONTEXTS for batch in BATCHES]
    prefill = [Step(1, tokens, 0) for tokens in TOKENS + LONG_TOKENS]
    prefill += [Step(prompts, PROMPT, 0) for prompts in PROMPTS]
    prefill += [Step(1, tokens, cached) for tokens, cached in BEHIND]
    return [*_decode(decode), *_prefill(prefill), *_jitter()]


def quick() -> list[Cell]:
    """The cells that tell a GPU's story in half a minute: a part of the full grid."""
    decode = [(batch, context) for context in (128, 256, 1024) for batch in (1, 16, 64, 256)]
    prefill = [Step(1, 128, 0), Step(1, 1024, 0), Step(2, 128, 0), Step(4, 128, 0)]
    return [*_decode(decode), *_prefill([*prefill, Step(1, 16, 112)]), *_jitter()]


def trial() -> list[Cell]:
    """A few small cells, to see that the script runs."""
    return [*_decode([(1, 32), (2, 32)]), *_prefill([Step(1, 16, 0), Step(2, 16, 16)])]


GRIDS = {"quick": quick, "full": full}


def _decode(cells: list[tuple[int, int]]) -> Iterator[Cell]:
    for batch, context in cells:
        yield Cell("decode", Step(batch, 1, context - 1), DECODE_REPLAYS)


def _prefill(steps: list[Step]) -> Iterator[Cell]:
    for step in steps:
        yield Cell("prefill", step, PREFILL_REPLAYS if step.new < LONG else LONG_REPLAYS)


def _jitter() -> Iterator[Cell]:
    for step in (Step(JITTER_BATCH, 1, JITTER_CONTEXT - 1), Step(1, PROMPT, 0)):
        yield Cell("jitter", step, JITTER_REPLAYS)
