"""The theorems on cache placement, compared with solvers on instances inside and out of each.

`placement_forms` holds what the theorems state, `placement_curves` the curves of the figure. Here
small games are solved by enumeration, lines of any length by dynamic programming; neither knows a
theorem. Instances just outside the conditions show that these are needed.
"""

import math
from collections.abc import Iterator
from fractions import Fraction

from anarchy.games.common.equilibrium_report import EquilibriumReport
from anarchy.games.common.rational import Extended
from anarchy.games.placement import enumeration, topology
from anarchy.games.placement.game import CachingGame
from anarchy.games.placement.solve import solve_placement
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.placement import closed_forms as forms
from anarchy.games.theorems.placement import paradoxes
from anarchy.games.theorems.placement.closed_forms import Price
from anarchy.games.theorems.placement.curves import SPINE, broom_price, broom_ratio
from anarchy.games.theorems.placement.curves import curve_rows as curve_rows
from anarchy.games.theorems.placement.paradoxes import count_row, slug

POA, POS = "price of anarchy", "price of stability"
OUTSIDE = "price of anarchy outside the conditions"


def check_rows(most: int | None = None) -> list[Row]:
    """One row per instance and quantity, see `checks.check`."""
    families = (
        _complete,
        _unequal,
        _one_slot,
        _any_network,
        _islands,
        _island_agents,
        _unit_links,
        _brooms,
        _line,
    )
    return [*rows_of(*families, most=most), *paradoxes.check_rows(most)]


def _complete() -> Iterator[Row]:
    # Miss costs below, at and above the placement cost, at 1, and none.
    for nodes, cost, miss in [
        (5, "1/2", None),
        (5, "1", None),
        (8, "10", None),
        (8, "10", "11"),
        (8, "10", "10"),
        (8, "10", "9"),
        (8, "10", "2"),
        (6, "3", "1"),
        (6, "1/2", "3/4"),
        (6, "1/2", "1/2"),
        (6, "3", "1/2"),
    ]:
        alpha, lost = Fraction(cost), None if miss is None else Fraction(miss)
        game = CachingGame.of(topology.complete(nodes), alpha, miss_cost=lost)
        setting = f"complete graph, n = {nodes}, alpha = {cost}, R = {miss or 'none'}"
        name = f"complete-{nodes}-{slug(cost)}-{slug(miss or 'none')}"
        yield from _both(name, "prop:complete", setting, game, forms.complete(nodes, alpha, lost))


def _unequal() -> Iterator[Row]:
    for costs in ("2 5 9", "1 1 40", "9/10 2 40", "2 2 2 100", "1/2 1/3"):
        alphas = [Fraction(cost) for cost in costs.split()]
        game = CachingGame.of(topology.complete(len(alphas)), alphas)
        setting = f"complete graph, placement costs {costs}"
        name = f"unequal-costs-{slug(costs)}"
        yield from _both(name, "prop:unequal", setting, game, forms.unequal_costs(alphas))
    for cost, asked in (
        ("1", "1 1/100"),
        ("1", "1 1/10 1/10 1/10"),
        ("2", "1 2 1/2 0"),
        ("1", "11/10 1/10 1/10"),
        ("3", "1 1 1"),
    ):
        demands = [Fraction(demand) for demand in asked.split()]
        game = CachingGame.of(topology.complete(len(demands)), cost, demands)
        setting = f"complete graph, alpha = {cost}, demands {asked}"
        name = f"unequal-demands-{slug(cost)}-{slug(asked)}"
        price = forms.unequal_demands(Fraction(cost), demands)
        yield from _both(name, "prop:unequal", setting, game, price)
        yield _row(f"{name}-limit", "prop:unequal", POA, setting, solve_placement(game), 2, "<=")


def _one_slot() -> Iterator[Row]:
    # Demand for the second object above, at and below the miss cost times that for the first.
    for nodes, cost, high, miss in (
        (2, "1/4", 9, 9),
        (4, "1/100", 50, 50),
        (5, "1/100", 51, 50),
        (5, "3/2", 9, 8),
        (5, "3/2", 8, 8),
        (5, "3/2", 7, 8),
        (4, "3", 2, 20),
        (4, "1/2", 1, 3),
    ):
        game = CachingGame.of(topology.complete(nodes), cost, [[1, high]] * nodes, miss, 1)
        setting = f"one slot, n = {nodes}, alpha = {cost}, demands 1 and {high}, R = {miss}"
        name = f"one-slot-{nodes}-{slug(cost)}-{high}-{miss}"
        price = forms.one_slot(nodes, Fraction(cost), Fraction(1), Fraction(high), Fraction(miss))
        yield from _both(name, "prop:one-slot", setting, game, price)
    roomy = CachingGame.of(topology.complete(4), "1/100", [[1, 50]] * 4, 50)
    report = solve_placement(roomy)
    yield _row("two-slots", "prop:one-slot", OUTSIDE, "two slots, n = 4", report, 1)
    # Demands that differ by node as well: each keeps what the other wants.
    game = CachingGame.of(topology.complete(2), 1, [[100, 1], [1, 100]], 100, 1)
    setting = "one slot, n = 2, alpha = 1, crossed demands 100 and 1, R = 100"
    yield _row(
        "one-slot-crossed", "prop:one-slot", OUTSIDE, setting, solve_placement(game), 2, ">="
    )
    # Without a miss cost nobody can make the empty placement finite alone.
    game = CachingGame.of(topology.complete(4), 1, [[1, 1]] * 4, None, 1)
    price = Price(math.inf, Fraction(1))
    yield from _both("one-slot-no-miss", "prop:one-slot", "one slot, n = 4, R = none", game, price)


def _any_network() -> Iterator[Row]:
    """The worst metric: one node far away from all others, which are together."""
    for nodes in (2, 3, 5, 8):
        far = [[0 if i == j or 0 not in (i, j) else 3 for j in range(nodes)] for i in range(nodes)]
        report = solve_placement(CachingGame.of(topology.distance(far), 3))
        setting = f"one node at distance 3 from {nodes - 1} together, alpha = 3"
        name, quantity = f"any-lone-{nodes}", f"{POA}, the worst metric"
        stated = forms.any_network(nodes)
        yield _row(name, "prop:any-network", quantity, setting, report, stated)
        # Without symmetry: all reach the first node at once, and it reaches nobody cheaply.
        oneway = [[0 if j in (0, i) else 3 for j in range(nodes)] for i in range(nodes)]
        report = solve_placement(CachingGame.of(topology.distance(oneway), 3))
        setting = f"n = {nodes}, free ways to one node, all others of length 3, alpha = 3"
        name, quantity = f"any-directed-{nodes}", f"{POA}, the worst directed distances"
        yield _row(name, "prop:any-network", quantity, setting, report, nodes)


def _islands() -> Iterator[Row]:
    # Below, at and above the long link, at and beyond the cost at which one copy is best.
    for count, size, intra, inter, cost in (
        (2, 8, "1", "10", "11"),
        (2, 8, "1", "10", "10"),
        (2, 8, "1", "10", "99/10"),
        (2, 8, "1", "10", "73"),
        (2, 8, "1", "10", "74"),
        (2, 8, "1", "10", "1"),
        (2, 3, "0", "9", "10"),
        (3, 4, "1/2", "5", "6"),
        (4, 3, "2", "3", "7/2"),
        (5, 2, "0", "1", "1"),
        (3, 1, "0", "4", "5"),
        (2, 5, "1/2", "3", "1/4"),
    ):
        near, far, alpha = Fraction(intra), Fraction(inter), Fraction(cost)
        game = CachingGame.of(topology.clusters(count, size, near, far), alpha)
        setting = f"{count} islands of {size}, d = {intra}, D = {inter}, alpha = {cost}"
        name = f"islands-{count}-{size}-{slug(intra)}-{slug(inter)}-{slug(cost)}"
        price = forms.islands(count, size, near, far, alpha)
        yield from _both(name, "thm:islands", setting, game, price)


def _island_agents() -> Iterator[Row]:
    """One agent an island: it pays for its copy and its own fetches, or for all remote ones."""
    for sizes, intra, inter, cost in (
        ((8, 8), "0", "99", "100"),
        ((1, 9), "0", "1", "9"),
        ((1, 9), "0", "1", "17/2"),
        ((1, 60), "0", "1", "60"),
        ((2, 3, 7), "1/2", "2", "15"),
        ((2, 3, 7), "1/2", "2", "4"),
    ):
        near, far, alpha = Fraction(intra), Fraction(inter), Fraction(cost)
        islands = range(len(sizes))
        between = [[far * (i != j) for j in islands] for i in islands]
        kept = [alpha + (size - 1) * near for size in sizes]
        game = CachingGame.of(topology.distance(between), kept, [[size] for size in sizes])
        text = " ".join(map(str, sizes))
        setting = f"agents of {text} nodes, d = {intra}, D = {inter}, alpha = {cost}"
        name = f"agents-{slug(text)}-{slug(intra)}-{slug(inter)}-{slug(cost)}"
        price = forms.island_agents(sizes, near, far, alpha)
        yield from _both(name, "prop:island-agents", setting, game, price)


def _unit_links() -> Iterator[Row]:
    for name, distance in (
        ("line", topology.line(12)),
        ("star", topology.star(12)),
        ("grid", topology.grid(3, 4)),
        ("broom", forms.broom(4, 8)),
        ("ring", topology.distance(_ring(11))),
    ):
        for cost in ("1", "5/2", "6", "30"):
            nodes, report = len(distance), solve_placement(CachingGame.of(distance, cost))
            bound = forms.unit_links_bound(nodes, Fraction(cost))
            setting = f"{name}, n = {nodes}, alpha = {cost}"
            row_name = f"unit-links-{name}-{slug(cost)}"
            quantity = f"{POA}, small networks"
            yield _row(row_name, "thm:unit-links", quantity, setting, report, bound, "<=")
    # A link of length 99 is no unit link, and the bound fails.
    report = solve_placement(CachingGame.of(topology.clusters(2, 40, 0, 99), 100))
    bound = forms.unit_links_bound(80, Fraction(100))
    setting = "two islands of 40, long link 99, alpha = 100"
    yield _row("unit-links-long-link", "thm:unit-links", OUTSIDE, setting, report, bound, ">=")


def _brooms() -> Iterator[Row]:
    """Trees that attain the order n^(2/3), and in the end its constant."""
    for handle, bristles in ((1, 1), (4, 8), (2, 9), (9, 3)):
        report = solve_placement(CachingGame.of(forms.broom(handle, bristles), handle + 2))
        setting = f"broom, handle of {handle} links, {bristles} bristles"
        name, quantity = f"broom-{handle}-{bristles}", f"{POA} of a small broom"
        stated = broom_price(handle, bristles)
        yield _row(name, "thm:unit-links", quantity, setting, report, stated)
    for bend in (2, 4, 6, 8, 10, 12):
        yield check(
            f"placement-broom-growth-{bend}",
            "thm:unit-links",
            f"{POA} of a broom, at least",
            f"broom, n = {1 + bend**2 + bend**3 // 2}",
            broom_price(bend**2, bend**3 // 2),
            forms.broom_bound(bend),
            SPINE,
            ">=",
        )
    bend = 200
    nodes, found = 1 + bend**2 + bend**3 // 2, broom_ratio(bend)
    given = ("two placements, node by node",)
    setting = f"broom, n = {nodes}"
    yield check(
        "placement-broom-large-form",
        "thm:unit-links",
        "one equilibrium over one placement, a large broom",
        setting,
        found,
        forms.broom_bound(bend),
        *given,
    )
    yield check(
        "placement-broom-large",
        "thm:unit-links",
        f"{POA} of a large broom, at least, below the bound for all networks",
        setting,
        float(found),
        forms.unit_links_bound(nodes, Fraction(bend**2 + 2)),
        *given,
        "<=",
    )


def _line() -> Iterator[Row]:
    for nodes, cost in (
        (1, "1"),
        (7, "1"),
        (9, "3/2"),
        (12, "2"),
        (12, "7/3"),
        (12, "4"),
        (10, "9"),
    ):
        alpha = Fraction(cost)
        report = enumeration.solve(CachingGame.of(topology.line(nodes), alpha))
        setting = f"line, n = {nodes}, alpha = {cost}"
        name = f"line-count-{nodes}-{slug(cost)}"
        stated = Fraction(forms.line_equilibria(nodes, alpha))
        yield count_row(name, "thm:line", setting, report, stated)
    for nodes, cost in ((100, "7/3"), (500, "16"), (900, "33/2"), (300, "299")):
        yield from _long_line(nodes, Fraction(cost))
    # Lines of at most as many nodes as a copy costs, up to and beyond its square root.
    for nodes, dear in ((200, 200), (200, 2000), (30, 900), (30, 10_000)):
        game = CachingGame.of(topology.line(nodes), dear)
        setting = f"line, n = {nodes}, alpha = {dear}"
        price = forms.dear_line(nodes, Fraction(dear))
        yield from _both(f"line-dear-{nodes}-{dear}", "thm:line", setting, game, price)


def _long_line(nodes: int, alpha: Fraction) -> Iterator[Row]:
    """The limits of both prices, which the line nears from both sides, and the loose bounds."""
    report = solve_placement(CachingGame.of(topology.line(nodes), alpha))
    name, theorem = f"line-{nodes}-{slug(str(alpha))}", "thm:line"
    setting = f"line, n = {nodes}, alpha = {alpha}"
    low, high = forms.line_range(nodes, alpha)
    below, above = f"{POA} of a long line, at least", f"{POA} of a long line, at most"
    if nodes > 20 * alpha:
        yield _row(f"{name}-low", theorem, below, setting, report, low, ">=")
        yield _row(f"{name}-high", theorem, above, setting, report, high, "<=")
        ends = forms.line_stability_range(nodes, alpha)
        for side, stated, relation in zip(("least", "most"), ends, (">=", "<="), strict=True):
            yield check(
                f"placement-{name}-pos-{side}",
                theorem,
                f"{POS} of a long line, at {side}",
                setting,
                report.price_of_stability,
                stated,
                report.method,
                relation,
            )
    floor, ceiling = forms.short_line_range(nodes, alpha)
    for kind, price, found, bound, relation in (
        ("low", POS, report.price_of_stability, floor, ">="),
        ("high", POA, report.price_of_anarchy, ceiling, "<="),
    ):
        given = (f"{price}, loosely", setting, found, bound, report.method, relation)
        yield check(f"placement-{name}-root-{kind}", theorem, *given)


def _ring(nodes: int) -> list[list[int]]:
    return [[min((j - i) % nodes, (i - j) % nodes) for j in range(nodes)] for i in range(nodes)]


def _both(name: str, theorem: str, setting: str, game: CachingGame, price: Price) -> Iterator[Row]:
    """Prices of anarchy and of stability, both equal to what is stated."""
    report = solve_placement(game)
    yield _row(f"{name}-poa", theorem, POA, setting, report, price.anarchy)
    found = report.price_of_stability
    yield check(
        f"placement-{name}-pos", theorem, POS, setting, found, price.stability, report.method
    )


def _row(
    name: str,
    theorem: str,
    quantity: str,
    setting: str,
    report: EquilibriumReport,
    stated: Extended,
    relation: str = "=",
) -> Row:
    found = report.price_of_anarchy
    wanted = Fraction(stated) if isinstance(stated, int) else stated
    return check(
        f"placement-{name}", theorem, quantity, setting, found, wanted, report.method, relation
    )
