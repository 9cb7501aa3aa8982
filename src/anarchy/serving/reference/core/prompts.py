"""What requests ask: prompts that begin like one of a few templates, lengths by their laws."""

import math
from collections.abc import Iterator

import numpy as np

from anarchy.config.workload import LengthLaw, Prompts, Synthetic
from anarchy.serving.reference.core.request import Request
from anarchy.workload.lengths import Lengths, make_lengths
from anarchy.workload.random_streams import CHUNK, integers, uniforms

Generators = dict[str, np.random.Generator]

LONG = 1 - 2**-53
"""The largest level: the quantile there is the longest that a law can draw."""


class Prompting:
    """Makes the requests of a synthetic workload, of all its tenants."""

    def __init__(self, workload: Synthetic, block_tokens: int, generators: Generators) -> None:
        parts: list[Prompts] = [*workload.tenants] or [workload]
        streams = split_streams(generators, len(parts))
        first_block = _Blocks()
        self._parts = [
            _Templates(index, part, block_tokens, stream, first_block)
            for index, (part, stream) in enumerate(zip(parts, streams, strict=True))
        ]
        shares = np.array([tenant.share for tenant in workload.tenants] or [1.0])
        self._limits = (np.cumsum(shares) / shares.sum()).tolist()
        self._picks = uniforms(generators["tenants"])
        self.largest = max((part.largest for part in self._parts), key=sum)
        self.typical = max((part.typical for part in self._parts), key=sum)

    def request(self, client: int) -> Request:
        """A new request."""
        if len(self._parts) == 1:
            return self._parts[0].request(client)
        pick = next(self._picks)
        tenant = next((k for k, limit in enumerate(self._limits) if pick < limit), -1)
        return self._parts[tenant].request(client)


class _Blocks:
    """Hands out block ids that nobody has."""

    def __init__(self) -> None:
        self._next = 0

    def take(self, count: int) -> tuple[int, ...]:
        first = self._next
        self._next = first + count
        return tuple(range(first, self._next))


class _Templates:
    """The prompts of one tenant, each template with whole prefix blocks of its own."""

    def __init__(
        self,
        tenant: int,
        prompts: Prompts,
        block_tokens: int,
        generators: Generators,
        fresh: _Blocks,
    ) -> None:
        self._tenant = tenant
        self._tokens = block_tokens
        self._template = prompts.input_tokens
        self._fresh = fresh
        whole = prompts.input_tokens // block_tokens
        self._blocks = [fresh.take(whole) for _ in range(prompts.templates)]
        self._choices = integers(generators["prompts"], prompts.templates)
        self._inputs, longest, usual = _law(
            prompts.input_lengths, prompts.input_tokens, generators["input-lengths"], "input"
        )
        self._outputs, most, mean = _law(
            prompts.output_lengths, prompts.output_tokens, generators["output-lengths"], "output"
        )
        self.largest = (longest, most)
        self.typical = (usual, mean)

    def request(self, client: int) -> Request:
        template, tokens = next(self._choices), next(self._inputs)
        blocks = self._blocks[template]
        if tokens != self._template:
            whole = tokens // self._tokens
            blocks = blocks[:whole] + self._fresh.take(max(0, whole - len(blocks)))
        footprint = math.ceil(tokens / self._tokens)
        request = Request(template, tokens, next(self._outputs), blocks, footprint, client)
        request.tenant = self._tenant
        return request


def _law(
    law: LengthLaw | None, tokens: int, rng: np.random.Generator, source: str
) -> tuple[Iterator[int], int, int]:
    """Draws, the longest possible one and the mean, in tokens."""
    if law is None:
        return _always(tokens), tokens, tokens
    lengths = make_lengths(law.kind, law.model_dump(exclude={"kind"}), f"workload.{source}_lengths")
    longest = int(lengths.quantiles(np.array([LONG]))[0])
    return _draws(lengths, rng), longest, max(1, round(lengths.mean))


def _always(tokens: int) -> Iterator[int]:
    while True:
        yield tokens


def _draws(lengths: Lengths, rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from lengths.sample(rng, CHUNK).tolist()


def split_streams(generators: Generators, parts: int) -> list[Generators]:
    """Streams of their own for each of so many tenants; a single one has the run's own."""
    if parts == 1:
        return [generators]
    names = ("prompts", "input-lengths", "output-lengths")
    spawned = {name: generators[name].spawn(parts) for name in names}
    return [{name: spawned[name][part] for name in names} for part in range(parts)]
