"""The game behind a tight bound: from the certificate of the linear program to an instance.

Source: the construction of Chandan, Paccagnan and Marden (2024), with offsets added to it.
"""

from fractions import Fraction

from anarchy.games.common.latency import Latency, Table
from anarchy.games.common.rational import rational
from anarchy.games.common.smoothness import Certificate
from anarchy.games.routing.congestion import CongestionGame, Strategy


def worst_game(certificate: Certificate) -> CongestionGame:
    """A game that attains the bound of a certificate: n players, n copies of each named row.

    The row (l, x, y, z) of weight w becomes n resources of latency w l, each used by z players in
    both strategies, by the next x in the first only and by the next y in the second only, counted
    round the circle. The weights of the offset rows become the offsets of the two strategies.
    Raises ValueError for a certificate of an infinite bound.
    """
    if certificate.rho is None:
        raise ValueError("certificate: an infinite bound is attained by no game")
    n = certificate.players
    latency: dict[str, Latency] = {}
    resources: list[tuple[set[str], set[str]]] = [(set(), set()) for _ in range(n)]
    offsets = {"offset-at-equilibrium": Fraction(0), "offset-at-optimum": Fraction(0)}
    for weight, key in certificate.weights:
        if len(key) == 1:
            offsets[key[0]] = weight
            continue
        number, x, y, z = key
        table = Table(
            tuple(
                weight * rational(certificate.latencies[number](k), "latency")
                for k in range(1, n + 1)
            )
        )
        for i in range(n):
            name = f"{number}-{x}-{y}-{z}-{i}"
            latency[name] = table
            for k in range(x + y + z):
                first, second = resources[(i + k) % n]
                if k < z + x:
                    first.add(name)
                if k < z or k >= z + x:
                    second.add(name)
    players = tuple(
        (
            Strategy(frozenset(first), offsets["offset-at-equilibrium"]),
            Strategy(frozenset(second), offsets["offset-at-optimum"]),
        )
        for first, second in resources
    )
    perceived = certificate.perceived_offset_weight
    return CongestionGame(latency, players, Fraction(1) if perceived is None else perceived)
