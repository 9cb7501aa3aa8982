"""Game files: what a user writes in YAML or JSON to have one game solved.

Every kind of game is one model, so a file is checked for unknown keys and wrong shapes before
anything is built. Numbers are read from their text: 0.1 is exactly 1/10, and "5/2" is a number too.
`anarchy.games.solve` turns the models into games and solves them.
"""

from collections.abc import Collection, Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from anarchy.common.errors import InputError, shown, suggest
from anarchy.config.base import Model
from anarchy.config.validation import validate
from anarchy.config.yaml_files import count_values
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
from anarchy.games.common.rational import brief
from anarchy.games.game_limits import (
    MAX_BOUND_WORK,
    MAX_CLIENTS,
    MAX_DEGREE,
    MAX_DISPATCHERS,
    MAX_HIGH_DEGREE_PLAYERS,
    MAX_LINE,
    MAX_NODES,
    MAX_PRICES,
    MAX_SERVERS,
    MAX_VALUES,
)
from anarchy.games.routing_file import CongestionFile, LatencyFile, TwoStageFile


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

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        shape, size = self.chosen
        if shape == "distance":
            return len(size)
        if shape == "grid":
            return int(size[0] * size[1])
        return int(size.count * size.size if shape == "clusters" else size)

    @model_validator(mode="after")
    def _not_too_large(self) -> Self:
        shape, _ = self.chosen
        most = MAX_LINE if shape == "line" else MAX_NODES
        if self.nodes > most:
            raise ValueError(f"{shape}: too many nodes; allowed: {most}")
        return self


class CachingFile(Model):
    """A cache placement game."""

    kind: Literal["caching"]
    topology: TopologyFile
    placement_cost: PerNode
    demand: PerNodeAndObject = Fraction(1)
    miss_cost: PerNode | None = None
    capacity: Whole | None = None

    @model_validator(mode="after")
    def _not_too_many_objects(self) -> Self:
        rows = self.demand if isinstance(self.demand, tuple) else ()
        objects = max((len(row) for row in rows if isinstance(row, tuple)), default=1)
        line = self.topology.line is not None and self.capacity is None
        size = objects * self.topology.nodes ** (1 if line else 2)
        most = MAX_LINE if line else MAX_PRICES
        if size > most:
            what = "nodes times objects" if line else "nodes times nodes times objects"
            raise ValueError(f"{size} {what} are too many; allowed: {most}")
        return self


class ProxyFile(Model):
    """A router that equalises load less a credit per server."""

    credit: Vector


class ServersFile(Model):
    """Parallel M/M/1 servers and the stream that they share."""

    service_rates: Vector
    demand: Number

    @field_validator("service_rates")
    @classmethod
    def _not_too_many(cls, rates: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
        if len(rates) > MAX_SERVERS:
            raise ValueError(f"{len(rates)} servers; allowed: {MAX_SERVERS}")
        return rates


class DispatchersFile(ServersFile):
    """Equal dispatchers, each of which splits its share of the stream to its own advantage."""

    kind: Literal["dispatchers"]
    dispatchers: Whole
    offsets: Vector | None = None

    @field_validator("dispatchers")
    @classmethod
    def _countable(cls, dispatchers: int) -> int:
        if not 1 <= dispatchers <= MAX_DISPATCHERS:
            raise ValueError(f"must be from 1 to {MAX_DISPATCHERS}")
        return dispatchers


class QueuesFile(ServersFile):
    """A stream that is split by one router; `router` is empty for the selfish one."""

    kind: Literal["parallel-queues"]
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

    @model_validator(mode="after")
    def _can_be_evaluated(self) -> Self:
        terms = [latency.terms for latency in self.latency]
        if self.players > MAX_HIGH_DEGREE_PLAYERS and max(terms, default=0) > 6:
            raise ValueError(
                f"players: too many for a degree above 5; allowed: {MAX_HIGH_DEGREE_PLAYERS}"
            )
        work = self.players**2 * sum(terms)
        if work > MAX_BOUND_WORK:
            raise ValueError(
                f"{brief(Fraction(work))} players times players times coefficients are too many; "
                f"allowed: {MAX_BOUND_WORK}"
            )
        return self


class OffsetBoundFile(SmoothnessBoundFile):
    """The tight bound for given latencies when every strategy may carry an offset."""

    family: Literal["smoothness-with-offset"]  # type: ignore[assignment]
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
GameFile = (
    CongestionFile
    | TwoStageFile
    | CachingFile
    | QueuesFile
    | DispatchersFile
    | AllocationFile
    | BoundFile
    | NetworkFile
)

KINDS: dict[str, type[Model]] = {
    "congestion": CongestionFile,
    "two-stage": TwoStageFile,
    "caching": CachingFile,
    "parallel-queues": QueuesFile,
    "dispatchers": DispatchersFile,
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
