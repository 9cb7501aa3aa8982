"""Named random streams: one per source of randomness, so that policies see the same requests."""

from collections.abc import Iterator, Sequence

import numpy as np

# The position of a name fixes its stream for ever: append, never reorder.
STREAMS = (
    "starts",
    "think",
    "prompts",
    "arrivals",
    "prefill-ties",
    "decode-ties",
    "decode-softmax",
    "prefill-softmax",
    "input-lengths",
    "output-lengths",
    "tenants",
)

CHUNK = 4096

Generators = dict[str, np.random.Generator]


def streams(seed: int, replication: int, names: Sequence[str] = STREAMS) -> Generators:
    """Independent generators by name; equal for equal (seed, replication), whatever the policy."""
    keys = {name: (replication, STREAMS.index(name)) for name in names}
    return {
        name: np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))
        for name, key in keys.items()
    }


def split_streams(generators: Generators, parts: int) -> list[Generators]:
    """Streams of their own for each of so many tenants; a single one has the run's own."""
    if parts == 1:
        return [generators]
    names = ("prompts", "input-lengths", "output-lengths")
    spawned = {name: generators[name].spawn(parts) for name in names}
    return [{name: spawned[name][part] for name in names} for part in range(parts)]


def uniforms(rng: np.random.Generator) -> Iterator[float]:
    """Uniform draws on [0, 1) as Python floats, generated in chunks because scalars are slow."""
    while True:
        yield from rng.random(CHUNK).tolist()


def exponentials(rng: np.random.Generator, mean: float) -> Iterator[float]:
    """Exponential draws with the given mean, in chunks."""
    while True:
        yield from rng.exponential(mean, CHUNK).tolist()


def integers(rng: np.random.Generator, below: int) -> Iterator[int]:
    """Uniform integers in [0, below), in chunks."""
    while True:
        yield from rng.integers(0, below, CHUNK).tolist()
