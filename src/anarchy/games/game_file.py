"""Game files: what a user writes in YAML or JSON to have one game solved.

Every kind of game is one model, so a file is checked for unknown keys and wrong shapes before
anything is built. Numbers are read from their text: 0.1 is exactly 1/10, and "5/2" is a number too.
`anarchy.games.solve` turns the models into games and solves them.
"""

import json
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from anarchy.common.errors import InputError, shown, suggest
from anarchy.common.text_files import decoded, read_text
from anarchy.config.base import Model
from anarchy.config.validation import validate
from anarchy.config.yaml_files import count_values, parse_yaml
from anarchy.games.common.exact_fields import (
    Matrix,
    Number,
    OneOf,
    Pair,
    PerNode,
    PerNodeAndObject,
    Vector,
    Whole,
)

STANDARD_INPUT = "-"

MAX_NODES = 1000
"""Largest network: a matrix of distances has the square of it as entries."""

MAX_CLIENTS = 3000
"""Most clients of a closed network: its exact results have several digits for each of them."""

MAX_DEGREE = 100
"""Largest degree of a reference bound; the constants of much higher ones exceed every float."""


MAX_PLAYERS = 10**6
"""Most players of a routing game, copies included; what its solver takes is less."""

MAX_VALUES = 2 * 10**6
"""Most values of a file: enough for the distances and the demands of the largest network. That many
fit into JSON only; YAML takes far longer to read and may hold fewer."""


class LatencyFile(OneOf):
    """Latency of a resource by load."""

    polynomial: Vector | None = None
    mm1: Number | None = None
    table: Vector | None = None


class StrategyFile(Model):
    """One choice of a player."""

    resources: list[str]
    offset: Number = Fraction(0)

    @field_validator("resources")
    @classmethod
    def _no_resource_twice(cls, resources: list[str]) -> list[str]:
        for position, resource in enumerate(resources):
            if resource in resources[:position]:
                raise ValueError(f"'{resource}' is given twice")
        return resources


class PlayerFile(Model):
    """One player, or `count` players that are all alike."""

    strategies: list[StrategyFile]
    count: Whole = 1

    @field_validator("count")
    @classmethod
    def _at_least_one(cls, count: int) -> int:
        if not 1 <= count <= MAX_PLAYERS:
            raise ValueError(f"must be from 1 to {MAX_PLAYERS}")
        return count


class ColocationFile(Model):
    """Credits between players that choose the same set of resources."""

    credit: Matrix
    combine: Literal["sum", "max"] = "sum"
    weight: Number = Fraction(1)


class CongestionFile(Model):
    """A finite congestion game."""

    kind: Literal["congestion"]
    latency: dict[str, LatencyFile]
    players: list[PlayerFile]
    perceived_offset_weight: Number = Fraction(1)
    colocation: ColocationFile | None = None

    @field_validator("players")
    @classmethod
    def _not_too_many(cls, players: list[PlayerFile]) -> list[PlayerFile]:
        if sum(player.count for player in players) > MAX_PLAYERS:
            raise ValueError(f"too many with their copies; allowed: {MAX_PLAYERS}")
        return players


class ClustersFile(Model):
    """Islands of nodes."""

    count: Whole
    size: Whole
    intra: Number
    inter: Number


class TopologyFile(OneOf):
    """The network on which caches are placed."""

    complete: Whole | None = None
    star: Whole | None = None
    line: Whole | None = None
    grid: Pair | None = None
    clusters: ClustersFile | None = None
    distance: Matrix | None = None

    @model_validator(mode="after")
    def _not_too_large(self) -> Self:
        shape, size = self.chosen
        if shape == "distance":
            nodes = len(size)
        elif shape == "grid":
            nodes = size[0] * size[1]
        else:
            nodes = size.count * size.size if shape == "clusters" else size
        if nodes > MAX_NODES:
            raise ValueError(f"{shape}: too many nodes; allowed: {MAX_NODES}")
        return self


class CachingFile(Model):
    """A cache placement game."""

    kind: Literal["caching"]
    topology: TopologyFile
    placement_cost: PerNode
    demand: PerNodeAndObject = Fraction(1)
    miss_cost: PerNode | None = None
    capacity: Whole | None = None


class ProxyFile(Model):
    """A router that equalises load less a credit per server."""

    credit: Vector


class QueuesFile(Model):
    """Parallel M/M/1 servers; `router` is empty for the selfish one."""

    kind: Literal["parallel-queues"]
    service_rates: Vector
    demand: Number
    router: dict[Literal["linear-proxy"], ProxyFile] = Field(default={})

    @field_validator("router", mode="before")
    @classmethod
    def _selfish_or_proxy(cls, router: object) -> object:
        if router == "selfish":
            return {}
        if not isinstance(router, dict) or not router:
            raise ValueError("'selfish' or {linear-proxy: {credit: [...]}} is wanted")
        return router


class PoolFile(Model):
    """One pool of an allocation game."""

    queue: Literal["mm1", "mmc"]
    service_rate: Number
    arrival_rate: Number
    weight: Number = Fraction(1)


class AllocationFile(Model):
    """A budget of GPUs shared by prefill and decode."""

    kind: Literal["allocation"]
    budget: Number
    integer: Annotated[bool, Field(strict=True)] = False
    prefill: PoolFile
    decode: PoolFile


class DegreeBoundFile(Model):
    """A bound that depends on the degree of the latencies."""

    kind: Literal["bound"]
    family: Literal["atomic-polynomial", "weighted-polynomial", "nonatomic-polynomial"]
    degree: Whole

    @field_validator("degree")
    @classmethod
    def _not_too_high(cls, degree: int) -> int:
        if degree > MAX_DEGREE:
            raise ValueError(f"must be at most {MAX_DEGREE}")
        return degree


class PlayersBoundFile(Model):
    """A bound that depends on the number of players."""

    kind: Literal["bound"]
    family: Literal["symmetric-affine"]
    players: Whole


class ConstantBoundFile(Model):
    """A bound that depends on nothing."""

    kind: Literal["bound"]
    family: Literal["affine-price-of-stability"]


class SmoothnessBoundFile(Model):
    """The tight bound for given latencies."""

    kind: Literal["bound"]
    family: Literal["smoothness"]
    latency: list[LatencyFile]
    players: Whole


class OffsetBoundFile(Model):
    """The tight bound for given latencies when every strategy may carry an offset."""

    kind: Literal["bound"]
    family: Literal["smoothness-with-offset"]
    latency: list[LatencyFile]
    players: Whole
    perceived_offset_weight: Number


class NetworkFile(Model):
    """A closed queueing network."""

    kind: Literal["closed-network"]
    service_demands: Vector
    clients: Whole
    think_time: Number = Fraction(0)

    @field_validator("clients")
    @classmethod
    def _not_too_many(cls, clients: int) -> int:
        if clients > MAX_CLIENTS:
            raise ValueError(f"too many clients for exact numbers; allowed: {MAX_CLIENTS}")
        return clients


BoundFile = (
    DegreeBoundFile | PlayersBoundFile | ConstantBoundFile | SmoothnessBoundFile | OffsetBoundFile
)
GameFile = CongestionFile | CachingFile | QueuesFile | AllocationFile | BoundFile | NetworkFile

KINDS: dict[str, type[Model]] = {
    "congestion": CongestionFile,
    "caching": CachingFile,
    "parallel-queues": QueuesFile,
    "allocation": AllocationFile,
    "closed-network": NetworkFile,
}

FAMILIES: dict[str, type[Model]] = {
    "atomic-polynomial": DegreeBoundFile,
    "weighted-polynomial": DegreeBoundFile,
    "nonatomic-polynomial": DegreeBoundFile,
    "symmetric-affine": PlayersBoundFile,
    "affine-price-of-stability": ConstantBoundFile,
    "smoothness": SmoothnessBoundFile,
    "smoothness-with-offset": OffsetBoundFile,
}


def load(file: str) -> Any:
    """Read a game file, or standard input for "-"; numbers stay text."""
    if file != STANDARD_INPUT:
        text = read_text(Path(file))
    elif sys.stdin is None:
        raise InputError(f"{source_of(file)}: is closed")
    else:
        text = decoded(sys.stdin.buffer, source_of(file))
    # YAML includes JSON but for tabs and for pairs of surrogates, and takes far longer to read.
    if text.lstrip()[:1] == "{":
        with suppress(ValueError, RecursionError):
            return _json(text)
    return parse_yaml(text, source_of(file), numbers_as_text=True)


def _json(text: str) -> Any:
    """JSON with numbers as text; `ValueError` for anything else and for a key given twice."""

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a key is given twice")
        return found

    return json.loads(
        text,
        parse_int=str,
        parse_float=str,
        parse_constant=str,
        object_pairs_hook=mapping,
    )


def source_of(file: str) -> str:
    """How messages name a file."""
    return "standard input" if file == STANDARD_INPUT else file


def parse(data: object, source: str) -> GameFile:
    """Check what a game file holds; `InputError` names `source`, the key and what is allowed."""
    if not isinstance(data, Mapping):
        raise InputError(f"{source}: expected keys with values, not {type(data).__name__}")
    try:
        values = count_values(data)
    except RecursionError:
        raise InputError(f"{source}: lists or keys are nested too deeply") from None
    if values > MAX_VALUES:
        raise InputError(f"{source}: too many values, aliases included; allowed: {MAX_VALUES}")
    kind = _named(data, "kind", [*KINDS, "bound"], source)
    model = FAMILIES[_named(data, "family", FAMILIES, source)] if kind == "bound" else KINDS[kind]
    game: Any = validate(model, data, source)
    checked: GameFile = game
    return checked


def _named(data: Mapping[Any, Any], key: str, allowed: Collection[str], source: str) -> str:
    """The value of a key that picks one of the allowed names."""
    if key not in data:
        others = ", ".join(sorted(allowed))
        raise InputError(f"{source}: key '{key}' is missing; allowed values: {others}")
    name = data[key]
    if not isinstance(name, str) or name not in allowed:
        hint = suggest(str(name), allowed)
        raise InputError(f"{source}: {key}: unknown {key} {shown(name)}; {hint}")
    return name
