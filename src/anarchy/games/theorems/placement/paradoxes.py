"""Two ways in which cache placement surprises: a cache too many, and no equilibrium at all.

A third cache can raise what the first two pay together, though equilibria are unique with and
without it; and on a ring of one-way links there may be no pure equilibrium.

Source: both effects are known of richer caching games (Ma, Yeh and Huang, 2020); the families
here are those of the paper's own statements.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from anarchy.games.common.equilibrium_report import EquilibriumReport
from anarchy.games.placement import topology
from anarchy.games.placement.game import CachingGame
from anarchy.games.placement.solve import solve_placement
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.placement import closed_forms as forms


def check_rows(most: int | None = None) -> list[Row]:
    """One row per instance, see `checks.check`."""
    return rows_of(_braess, _one_way_rings, most=most)


def _braess() -> Iterator[Row]:
    for gap in ("2/5", "1/4", "1/10", "1/100"):
        epsilon = Fraction(gap)
        stated = forms.braess_ratio(epsilon)
        yield from _third_cache(f"braess-{slug(gap)}", epsilon, (1, 1, 1), None, stated, "=")
    near = Fraction(1, 1000)
    yield from _third_cache("braess-limit", near, (1, 1, 1), None, forms.BRAESS_LIMIT, "<=")
    # The second node's cost out of reach: the limit for equal placement costs is passed.
    beyond = (1, 100, 1)
    yield from _third_cache("braess-unequal", Fraction(1, 4), beyond, 40, forms.BRAESS_LIMIT, ">=")


def _third_cache(
    name: str,
    epsilon: Fraction,
    costs: Sequence[int],
    second: int | None,
    stated: Fraction,
    relation: str,
) -> Iterator[Row]:
    """Node 2 lies at distance 1 - epsilon from node 0, on the side away from node 1."""
    near = 1 - epsilon
    demands = [1 + epsilon, Fraction(1, 2) if second is None else Fraction(second), Fraction(2)]
    places = [Fraction(0), Fraction(1), -near]
    distance = [[abs(a - b) for b in places] for a in places]
    setting = f"third cache at distance {near}, placement costs {costs}"
    before, paid_before = _first_two([row[:2] for row in distance[:2]], costs[:2], demands[:2])
    after, paid_after = _first_two(distance, costs, demands)
    label, quantity = "prop:cache-braess", "cost of the first two caches with over without a third"
    found = paid_after / paid_before
    yield check(
        f"placement-{name}", label, quantity, setting, found, stated, before.method, relation
    )
    for when, report in (("before", before), ("after", after)):
        yield count_row(f"{name}-{when}", label, setting, report, Fraction(1))


def _first_two(
    distance: Sequence[Sequence[Fraction]], costs: Sequence[int], demands: Sequence[Fraction]
) -> tuple[EquilibriumReport, Fraction]:
    """The report, and what nodes 0 and 1 pay in the first of its equilibria."""
    report = solve_placement(
        CachingGame.of(topology.distance(distance), list(costs), [[d] for d in demands])
    )
    assert report.profiles
    owners = [node for node, kept in enumerate(report.profiles[0]) if kept]
    paid = Fraction(0)
    for node in (0, 1):
        fetch = demands[node] * min(distance[node][owner] for owner in owners)
        paid += costs[node] if node in owners else fetch
    return report, paid


def _one_way_rings() -> Iterator[Row]:
    for nodes, cost in (
        (3, "3/2"),
        (5, "3/2"),
        (7, "5/2"),
        (4, "3/2"),
        (9, "5/2"),
        (3, "1"),
        (3, "2"),
        (5, "9/2"),
        (7, "3"),
        (11, "6"),
    ):
        report = solve_placement(CachingGame.of(topology.distance(one_way(nodes)), cost))
        stable = forms.ring_is_stable(nodes, Fraction(cost))
        setting = f"one-way ring, n = {nodes}, alpha = {cost}"
        name = f"placement-one-way-{nodes}-{slug(cost)}"
        yield check(
            name,
            "prop:one-way",
            "price of anarchy, if there are equilibria",
            setting,
            report.price_of_anarchy,
            Fraction(1) if stable else None,
            report.method,
            ">=" if stable else "none",
        )


def one_way(nodes: int) -> list[list[int]]:
    """Distances on a ring whose unit links lead one way only."""
    return [[(j - i) % nodes for j in range(nodes)] for i in range(nodes)]


def count_row(
    name: str, theorem: str, setting: str, report: EquilibriumReport, stated: Fraction
) -> Row:
    """How many equilibria a solver found, beside how many there should be."""
    # Enumeration and the programme for lines count them all.
    assert report.equilibria is not None
    found, quantity = Fraction(report.equilibria), "number of equilibria"
    row = check(f"placement-{name}", theorem, quantity, setting, found, stated, report.method)
    return {**row, "unit": "equilibria"}


def slug(text: str) -> str:
    """Numbers as a part of an id."""
    return text.replace("/", "-").replace(" ", "-")
