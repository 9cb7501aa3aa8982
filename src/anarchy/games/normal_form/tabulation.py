"""Small games of other kinds as tables, so that other programs can solve them too."""

from collections.abc import Iterable

from anarchy.games.common.enumeration import ProfileSpace
from anarchy.games.normal_form.table import NormalForm, require_small
from anarchy.games.placement import enumeration as placement
from anarchy.games.placement.game import CachingGame
from anarchy.games.routing import enumeration as routing
from anarchy.games.routing.congestion import CongestionGame


def of_congestion(game: CongestionGame) -> NormalForm:
    """The costs that players perceive; raises `InputError` for a game too large to write."""
    space = ProfileSpace(tuple(map(len, game.players)))
    require_small(len(game.players), space.size)
    names = tuple(
        _distinct([_named(sorted(strategy.resources)) for strategy in strategies])
        for strategies in game.players
    )
    return NormalForm(
        "congestion game", _numbered("player", len(names)), names, routing.tabulate(game)
    )


def of_caching(game: CachingGame) -> NormalForm:
    """The costs of nodes; raises `InputError` for a game too large to write."""
    holdings = placement.holdings(game)
    require_small(game.nodes, len(holdings) ** game.nodes)
    names = tuple(_named(map(str, kept)) for kept in holdings)
    table = placement.tabulate(game)
    return NormalForm("caching game", _numbered("node", game.nodes), (names,) * game.nodes, table)


def _numbered(what: str, count: int) -> tuple[str, ...]:
    return tuple(f"{what} {number}" for number in range(count))


def _distinct(names: list[str]) -> tuple[str, ...]:
    """Names with their numbers where two strategies differ in their offsets alone."""
    if len(set(names)) == len(names):
        return tuple(names)
    return tuple(f"{number}: {name}" for number, name in enumerate(names))


def _named(things: Iterable[str]) -> str:
    """A strategy by what it takes."""
    return ", ".join(things) or "nothing"
