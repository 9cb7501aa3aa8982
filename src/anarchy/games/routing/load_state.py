"""The load state of a congestion game: who plays what so far, and what each choice then costs.

Players are added and removed one at a time, so a cost takes the loads and not a profile to find.
Costs are integers over a common denominator. An overloaded player's cost is infinite, and infinity
is no worse than infinity, as in enumeration.
"""

from collections.abc import Sequence

from anarchy.games.common.rational import Extended
from anarchy.games.routing.congestion import CongestionGame, latency_tables, scale_of


class LoadState:
    """A profile under construction or in motion, with the loads that go with it.

    Costs are scaled integers, `infinite` for infinity. `add` and `remove` change one player.
    """

    def __init__(self, game: CongestionGame) -> None:
        tables = latency_tables(game)
        self.scale = scale_of(game, tables)
        self.infinite = self.scale.infinite
        self.names = sorted(game.latency)
        self._latency = [[self.scale.integer(v) for v in tables[name]] for name in self.names]
        number = {name: position for position, name in enumerate(self.names)}
        weight = game.perceived_offset_weight
        self.players = len(game.players)
        self.strategies: list[list[tuple[frozenset[int], int, int]]] = [
            [
                (
                    frozenset(number[name] for name in strategy.resources),
                    self.scale.integer(strategy.offset),
                    self.scale.integer(weight * strategy.offset),
                )
                for strategy in strategies
            ]
            for strategies in game.players
        ]
        self._together = game.colocation
        self.loads = [0] * len(self.names)
        self.profile: list[int | None] = [None] * self.players

    def add(self, player: int, strategy: int) -> None:
        """Let a player that is out play one of its strategies."""
        self.profile[player] = strategy
        for resource in self.strategies[player][strategy][0]:
            self.loads[resource] += 1

    def remove(self, player: int) -> None:
        """Take a player out."""
        strategy = self.profile[player]
        if strategy is not None:
            self.profile[player] = None
            for resource in self.strategies[player][strategy][0]:
                self.loads[resource] -= 1

    def perceived(self, player: int, strategy: int) -> int:
        """What a player that is out would see as its cost on a strategy."""
        resources, _, offset = self.strategies[player][strategy]
        total = offset - self._credit(player, resources)
        for resource in resources:
            latency = self._latency[resource][self.loads[resource] + 1]
            if latency == self.infinite:
                return self.infinite
            total += latency
        return total

    def cheapest(self, player: int) -> list[int]:
        """The strategies of least perceived cost of a player that is out."""
        costs = [self.perceived(player, s) for s in range(len(self.strategies[player]))]
        least = min(costs)
        return [strategy for strategy, cost in enumerate(costs) if cost == least]

    def least_increases(self, player: int) -> list[int]:
        """The strategies by which a player that is out would raise the social cost least."""
        costs = [self._increase(player, s) for s in range(len(self.strategies[player]))]
        least = min(costs)
        return [strategy for strategy, cost in enumerate(costs) if cost == least]

    def social(self) -> int:
        """Social cost of the players that are in."""
        total = 0
        for latency, load in zip(self._latency, self.loads, strict=True):
            if latency[load] == self.infinite:
                return self.infinite
            total += load * latency[load]
        for player, strategy in enumerate(self.profile):
            if strategy is not None:
                resources, offset, _ = self.strategies[player][strategy]
                total += offset - self._credit(player, resources)
        return total

    def value(self, cost: int) -> Extended:
        """The cost behind a scaled integer."""
        return self.scale.value(cost)

    def reset(self, players: Sequence[int], strategies: Sequence[int]) -> None:
        """Take everybody out and add the first players with these strategies."""
        self.loads = [0] * len(self.loads)
        self.profile = [None] * self.players
        for player, strategy in zip(players, strategies, strict=False):
            self.add(player, strategy)

    def _credit(self, player: int, resources: frozenset[int]) -> int:
        """Scaled credit of a player among the others that are in."""
        if self._together is None:
            return 0
        gains = [
            self._together.credit[player][other]
            for other, strategy in enumerate(self.profile)
            if other != player
            and strategy is not None
            and self.strategies[other][strategy][0] == resources
        ]
        if not gains:
            return 0
        total = max(gains) if self._together.combine == "max" else sum(gains)
        return self.scale.integer(self._together.weight * total)

    def _increase(self, player: int, strategy: int) -> int:
        """By how much a strategy raises the social cost, up to a number common to all of them."""
        if self._together is not None:
            # Credits change for others as well, so the whole is evaluated.
            self.add(player, strategy)
            total = self.social()
            self.remove(player)
            return total
        resources, total, _ = self.strategies[player][strategy]
        for number, (latency, load) in enumerate(zip(self._latency, self.loads, strict=True)):
            after = load + 1 if number in resources else load
            if latency[after] == self.infinite:
                return self.infinite
            if number in resources:
                total += after * latency[after] - load * latency[load]
        return total
