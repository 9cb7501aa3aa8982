"""Game 3, routing: finite congestion games with an offset per strategy.

Requests are players, workers (or links) are resources. A strategy uses a set of resources and
carries an offset, a cost that does not depend on load: the prompt blocks that the chosen worker
would have to prefill again. Players minimise latency + weight * offset - credit, while the social
cost sums latency + offset - credit: a router may weigh overlap otherwise than the system does.

Source of the model: Rosenthal (1973) for congestion games, Milchtaich (1996) for player-specific
costs; with offsets alone the game keeps Rosenthal's potential.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from anarchy.common.errors import InputError, suggest
from anarchy.games.common.enumeration import Scale
from anarchy.games.common.latency import Latency
from anarchy.games.common.rational import Extended, rational


@dataclass(frozen=True)
class Strategy:
    """A set of resources and the load-independent cost of choosing it."""

    resources: frozenset[str]
    offset: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "resources", frozenset(self.resources))
        object.__setattr__(self, "offset", rational(self.offset, "offset"))


@dataclass(frozen=True)
class Colocation:
    """Credit that players give each other by choosing the same set of resources.

    credit[i][k] is what i gains when k is with it (the diagonal is not read); `combine` is "sum"
    over those present or "max" for the best of them alone; the result is multiplied by `weight`.
    """

    credit: tuple[tuple[Fraction, ...], ...]
    combine: str = "sum"
    weight: Fraction = Fraction(1)

    def __post_init__(self) -> None:
        rows = tuple(tuple(rational(c, "colocation.credit") for c in row) for row in self.credit)
        if any(len(row) != len(rows) for row in rows):
            raise InputError("colocation.credit: must be a square matrix")
        if self.combine not in ("sum", "max"):
            raise InputError(f"colocation.combine: {suggest(str(self.combine), ('sum', 'max'))}")
        object.__setattr__(self, "credit", rows)
        object.__setattr__(self, "weight", rational(self.weight, "colocation.weight"))


@dataclass(frozen=True)
class CongestionGame:
    """A finite congestion game.

    latency                  cost per user of each resource by load
    players                  the strategies of each player
    perceived_offset_weight  weight of the offset in a player's choice (1 = as the system does)
    colocation               optional credits between players
    """

    latency: Mapping[str, Latency]
    players: tuple[tuple[Strategy, ...], ...]
    perceived_offset_weight: Fraction = Fraction(1)
    colocation: Colocation | None = None

    def __post_init__(self) -> None:
        weight = rational(self.perceived_offset_weight, "perceived_offset_weight")
        object.__setattr__(self, "perceived_offset_weight", weight)
        object.__setattr__(self, "players", tuple(tuple(player) for player in self.players))
        for number, strategies in enumerate(self.players):
            if number and strategies is self.players[number - 1]:
                continue
            if not strategies:
                raise InputError(f"players[{number}].strategies: at least one is needed")
            for strategy in strategies:
                for resource in sorted(strategy.resources - set(self.latency)):
                    raise InputError(
                        f"players[{number}].strategies: no resource '{resource}', "
                        f"{suggest(resource, self.latency)}"
                    )
        if self.colocation and len(self.colocation.credit) != len(self.players):
            raise InputError(f"colocation.credit: needs {len(self.players)} rows, one per player")


def latency_tables(game: CongestionGame) -> dict[str, list[Extended]]:
    """Latency of each resource at load 0 (never paid), 1, ... up to all who may use it."""
    tables: dict[str, list[Extended]] = {}
    users = Counter(
        resource
        for strategies in game.players
        for resource in frozenset().union(*(strategy.resources for strategy in strategies))
    )
    for resource in sorted(game.latency):
        try:
            values = [game.latency[resource](load) for load in range(1, users[resource] + 1)]
        except InputError as error:
            raise InputError(f"latency.{resource}.{error}") from None
        tables[resource] = [Fraction(0), *values]
    return tables


def scale_of(game: CongestionGame, tables: Mapping[str, list[Extended]]) -> Scale:
    """The scale for costs that are sums of a game's latencies, offsets and credits."""
    terms = [Fraction(v) for table in tables.values() for v in table if v != math.inf]
    for strategies in game.players:
        for strategy in strategies:
            terms += [strategy.offset, game.perceived_offset_weight * strategy.offset]
    if game.colocation:
        terms += [game.colocation.weight * c for row in game.colocation.credit for c in row]
    return Scale.of(terms, len(game.players))
