"""The worst equilibrium on identical servers of latency k at load k, each request limited to some.

Count the servers by their load x at the equilibrium and y in the optimum. A request of a server
loaded x there that the optimum puts on another, loaded x', stays only if x <= x' + 1. So the
requests of servers loaded k + 2 or more all belong, in the optimum, on servers loaded k + 1 or
more; by Hall's theorem nothing else restricts the counts, and the worst case is a linear program.

Source: the games are those of Caragiannis et al. (2011); the program is this project's own.
"""

from fractions import Fraction

from anarchy.games.common.exact_program import Optimum, Row, least


def worst_case(most: int) -> Optimum:
    """Worst price of anarchy of all such games in which no server is loaded more than `most` >= 2.

    The first variable is the bound, the others are multipliers: one per k from 0 to `most` - 2
    and, as a difference of two, one for the equal numbers of requests.
    """
    loads = range(most + 1)
    return least([_row(x, y, most) for x in loads for y in loads if x or y])


def _row(x: int, y: int, most: int) -> Row:
    kept = [x * (x >= k + 2) - y * (x >= k + 1) for k in range(most - 1)]
    return tuple(map(Fraction, (y * y, *kept, x - y, y - x))), Fraction(x * x)
