"""Random cache placement games, and their definition without any cleverness."""

import math
from fractions import Fraction

from hypothesis import strategies as st

from anarchy.games.common.rational import Extended
from anarchy.games.placement.game import CachingGame, Placement
from tests.games.rationals import fractions

amounts = fractions(min_value=0, max_value=4, max_denominator=3)
"""Few values, so that ties are common."""


def node_cost(game: CachingGame, node: int, placement: Placement) -> Extended:
    """What a node pays, from the definition."""
    cost: Extended = game.placement_cost[node] * len(placement[node])
    for item, demand in enumerate(game.demand[node]):
        if item in placement[node] or demand == 0:
            continue
        prices = [
            game.distance[node][other]
            for other in range(game.nodes)
            if other != node and item in placement[other]
        ]
        if game.miss_cost is not None:
            prices.append(game.miss_cost[node])
        cost += demand * min(prices) if prices else math.inf
    return cost


@st.composite
def caching_games(
    draw: st.DrawFn, bits: int = 8, objects: int = 3, limited: bool = True
) -> CachingGame:
    """Directed games with at most 2**bits placements and so many objects; all parameters random."""
    count = draw(st.integers(1, objects))
    nodes = draw(st.integers(1, bits // count))

    def vector(length: int) -> list[Fraction]:
        return draw(st.lists(amounts, min_size=length, max_size=length))

    # Directed distances that differ everywhere, and networks on which most prices are equal.
    distances = draw(st.sampled_from([amounts, st.sampled_from([Fraction(0), Fraction(1)])]))
    return CachingGame.of(
        tuple(
            tuple(draw(st.lists(distances, min_size=nodes, max_size=nodes))) for _ in range(nodes)
        ),
        vector(nodes),
        [vector(count) for _ in range(nodes)],
        vector(nodes) if draw(st.booleans()) else None,
        draw(st.none() | st.integers(0, 2)) if limited else None,
    )
