"""What moved, and what that feeds along the build's own arrows."""

from anarchy.artefact.verification.comparison import Comparison
from anarchy.artefact.verification.movements import Places, made_by, movements
from anarchy.artefact.verification.products import Product

PLACES = Places("b/results", "b/figures", "b/paper/generated/tables")


def product(path: str, *inputs: str) -> Product:
    return Product(path, "rule", frozenset(inputs), True)


PRODUCTS = [
    product("b/results/experiments/sweep.json", "b/results/points/sweep/0.json"),
    product("b/results/bracket.json", "b/results/experiments/sweep.json"),
    product("b/results/experiments/other.json"),
    product("b/figures/sweep.pdf", "b/results/experiments/sweep.json"),
    product("b/figures/sweep.png", "b/results/experiments/sweep.json"),
    product("b/figures/other.pdf", "b/results/experiments/other.json"),
    product("b/paper/generated/tables/losses.tex", "b/results/bracket.json"),
    product("b/paper/generated/tables/knees/other.tex", "b/results/experiments/other.json"),
]
CLAIMED = {
    "C01": frozenset({"experiments/sweep.json"}),
    "C02": frozenset({"bracket.json"}),
    "C03": frozenset({"experiments/other.json"}),
}


def number(value: float, of: str = "number") -> dict[str, object]:
    row = {"of": of, "file": "experiments/sweep.json", "id": "Ttft", "value": value}
    return row | {"rows": 3, "digest": value}


def test_only_what_follows_from_the_change_is_named() -> None:
    moved = movements(
        Comparison([], [(number(1.0), number(2.0))], ["config/a.yaml"]), PRODUCTS, PLACES, CLAIMED
    )
    assert moved == {
        "inputs": ["config/a.yaml"],
        "experiments": ["sweep"],
        "numbers": ["Ttft 1 -> 2"],
        "tables": ["losses"],
        "figures": ["sweep"],
        "claims judged by them": ["C01", "C02"],
    }


def test_a_verdict_that_moved_is_named_once() -> None:
    before = {"of": "claim", "file": "claims.json", "id": "C01", "value": "undecidable"}
    pairs = [(number(1.0), number(2.0)), (before, before | {"value": "reproduced"})]
    moved = movements(Comparison([], pairs, []), PRODUCTS, PLACES, CLAIMED)
    assert moved["verdicts"] == ["C01 undecidable -> reproduced"]
    assert moved["claims judged by them"] == ["C02"]


def test_rows_are_named_with_their_file_and_sorted() -> None:
    pairs = [(number(2.0, "rows"), {}), ({}, number(1.0, "rows") | {"id": "Load"})]
    moved = movements(Comparison([], pairs, []), PRODUCTS, PLACES, CLAIMED)
    assert moved["results"] == [
        "experiments/sweep.json Load: is new",
        "experiments/sweep.json Ttft: is gone",
    ]


def test_where_nothing_moved_nothing_is_said() -> None:
    assert movements(Comparison([], [], []), PRODUCTS, PLACES, CLAIMED) == {}


def test_files_are_of_experiments_studies_or_neither() -> None:
    names = ("experiments/a.knees.json", "studies/b.summary.json", "bracket.json", "live/0.json")
    assert [made_by(name) for name in names] == ["a", "b", "", ""]
