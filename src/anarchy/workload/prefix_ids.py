"""Ids of prompt blocks that name whole prefixes."""

from collections.abc import Iterator, Sequence
from itertools import chain, count

MOST_ID = 2**64 - 1
"""Recorded ids are unsigned 64-bit numbers."""

Prompt = tuple[int, ...]


def as_prefixes(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Ids of which equal ones are equal prefixes, made of recorded ids of 64 bits.

    Some traces number prefixes, some the contents of single blocks. A cached block is of use only
    after the same blocks as before, so a block is known by its id and by all that precedes it. An
    id keeps its value, as a signed number, in the first place where it appears; wherever something
    else precedes it, it gets a number that is no id of the trace.
    """
    prompts = [_signed(prompt) for prompt in prompts]
    spare = _numbers_beside(prompts)
    before: dict[int, int | None] = {}  # what precedes an id where it keeps its value
    renamed: dict[tuple[int | None, int], int] = {}
    named = []
    for prompt in prompts:
        names: list[int] = []
        previous: int | None = None
        for block in prompt:
            if before.setdefault(block, previous) != previous:
                place = previous, block
                if place not in renamed:
                    renamed[place] = next(spare)
                block = renamed[place]
            names.append(block)
            previous = block
        named.append(tuple(names))
    return named


def _signed(prompt: Prompt) -> Prompt:
    """The same 64 bits as signed numbers, which are what the simulators keep."""
    if not prompt or max(prompt) < 2**63:
        return prompt
    return tuple(block - (block >> 63 << 64) for block in prompt)


def _numbers_beside(prompts: Sequence[Prompt]) -> Iterator[int]:
    taken = set(chain.from_iterable(prompts))
    yield from (number for number in count() if number not in taken)
