"""Gambit's files: both variants, exact payoffs, games there and back, and hostile text."""

import importlib.util
import io
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.cli.main import main
from anarchy.common.errors import InputError
from anarchy.games.normal_form import nfg
from anarchy.games.normal_form.table import NormalForm
from anarchy.games.solve import solve_file
from tests.sandbox import inputs

PAYOFFS = """NFG 1 R "Two players, three and two strategies"
{ "Row" "Column" } { 3 2 }

1 1 0 2 0 2 1 1 0 3 2 0
"""

OUTCOMES = """NFG 1 D "The same by outcomes"
{ "Row" "Column" }

{ { "a" "b" "c" }
  { "x \\"y\\"" "}" }
}
"a comment"

{
{ "one" 1, 1 }
{ "two" 0.0, 2 }
{ "" +2/2 1e0 }
{ "never" 7, 7 }
{ "three" 0, 6/2 }
{ "four" 2, 0 }
}
1 2 2 3 5 6
"""


def paid(form: NormalForm, *profile: int) -> list[Fraction]:
    """What the players get, from the table of costs."""
    index = int(np.ravel_multi_index(profile, form.costs.space.counts))
    return [-Fraction(form.costs.scale.value(int(c[index]))) for c in form.costs.perceived]


@pytest.mark.parametrize("text", [PAYOFFS, OUTCOMES])
def test_both_variants_give_the_payoffs_with_the_first_player_fastest(text: str) -> None:
    form = nfg.parse(text, "file")
    assert form.players == ("Row", "Column")
    assert form.costs.space.counts == (3, 2)
    assert paid(form, 0, 0) == [1, 1]
    assert paid(form, 1, 0) == [0, 2]
    assert paid(form, 0, 1) == [1, 1]
    assert paid(form, 1, 1) == [0, 3]
    assert paid(form, 2, 1) == [2, 0]


def test_outcome_zero_pays_nothing_and_decimals_are_exact() -> None:
    text = 'NFG 1 R "" { "" } { 2 } { { "" 0.1234567890123456789 } } 1 0'
    form = nfg.parse(text, "file")
    assert paid(form, 0) == [Fraction("0.1234567890123456789")]
    assert paid(form, 1) == [0]


tables = st.lists(st.integers(1, 3), min_size=1, max_size=4).flatmap(
    lambda counts: st.tuples(
        st.just(counts),
        st.lists(
            st.fractions(min_value=-9, max_value=9, max_denominator=12),
            min_size=int(np.prod(counts)) * len(counts),
            max_size=int(np.prod(counts)) * len(counts),
        ),
    )
)


@pytest.mark.random
@inputs(0.3)
@given(tables)
def test_a_game_that_is_written_is_read_again(table: tuple[list[int], list[Fraction]]) -> None:
    counts, payoffs = table
    sizes = " ".join(map(str, counts))
    names = '"" ' * len(counts)
    body = " ".join(map(str, payoffs))
    form = nfg.parse(f'NFG 1 R "t" {{ {names} }} {{ {sizes} }} {body}', "file")
    text = nfg.text_of(form)
    assert text.split("\n\n")[1].split() == [str(p) for p in payoffs]
    again = nfg.parse(text, "file")
    assert nfg.text_of(again) == text
    assert all(map(np.array_equal, again.costs.perceived, form.costs.perceived))


def solved(text: str, folder: Path, *options: str) -> dict[str, Any]:
    file = folder / "game"
    file.write_text(text, encoding="utf-8")
    return solve_file(str(file), *options)


def test_payoffs_that_pay_have_ratios_of_payoffs(tmp_path: Path) -> None:
    """A prisoners' dilemma: 2 each together, 1 each at the equilibrium."""
    found = solved(
        'NFG 1 R "" { "" "" } { 2 2 } 2 2 3 0 0 3 1 1',
        tmp_path,
    )
    assert found == {
        "kind": "normal-form",
        "equilibria": 1,
        "profiles": [[1, 1]],
        "optimum": "-4",
        "best_equilibrium": "-2",
        "worst_equilibrium": "-2",
        "price_of_anarchy": "2",
        "price_of_stability": "2",
        "exact_potential": True,
        "exact": True,
        "ratio_of": "payoffs",
        "regret": "0",
    }


CONGESTION = """kind: congestion
latency: {warm: {polynomial: [0, 1]}, "c \\"1\\\\": {polynomial: [0, "1/3"]}}
players:
  - {count: 2, strategies: [{resources: [warm]}, {resources: ["c \\"1\\\\"], offset: 2}]}
  - strategies: [{resources: [warm, "c \\"1\\\\"]}, {resources: []}, {resources: [warm]}]
"""
CACHING = """kind: caching
topology: {line: 3}
placement_cost: 2
demand: [[1, 2], [1, 1], [0, 1]]
miss_cost: 3
"""
SHARED = ("equilibria", "optimum", "best_equilibrium", "worst_equilibrium")


@pytest.mark.parametrize("text", [CONGESTION, CACHING])
def test_a_game_has_the_same_answers_as_a_table(text: str, tmp_path: Path) -> None:
    out = tmp_path / "out.nfg"
    direct = solved(text, tmp_path, "auto", str(out))
    table = solve_file(str(out))
    ratios = (*SHARED, "price_of_anarchy", "price_of_stability")
    assert {key: table[key] for key in ratios} == {key: direct[key] for key in ratios}
    assert table["ratio_of"] == "costs"
    again = tmp_path / "again.nfg"
    solve_file(str(out), "enumeration", str(again))
    first, second = (nfg.parse(f.read_text("utf-8"), "f") for f in (out, again))
    assert nfg.text_of(first) == nfg.text_of(second)


def test_a_game_that_weighs_offsets_wrongly_says_what_its_payoffs_are(tmp_path: Path) -> None:
    out = tmp_path / "out.nfg"
    text = CONGESTION + "perceived_offset_weight: 4\n"
    direct = solved(text, tmp_path, "auto", str(out))
    assert nfg.PERCEIVED in out.read_text("utf-8")
    table = solve_file(str(out))
    assert table["profiles"] == direct["profiles"]
    assert table["optimum"] != direct["optimum"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "kind: congestion\nlatency: {w: {mm1: 2}}\n"
            "players: [{count: 2, strategies: [{resources: [w]}, {resources: []}]}]\n",
            "profile [0, 0] costs infinitely much",
        ),
        (
            "kind: congestion\nlatency: {w: {polynomial: [0, 1]}, v: {polynomial: [0, 1]}}\n"
            "players: [{count: 40, strategies: [{resources: [w]}, {resources: [v]}]}]\n",
            "too many to enumerate",
        ),
        (
            "kind: caching\ntopology: {complete: 17}\nplacement_cost: 1\n",
            "17 players times 131072 profiles are too many payoffs; allowed: 1048576",
        ),
        (
            "kind: dispatchers\nservice_rates: [1]\ndemand: 0.5\ndispatchers: 2\n",
            "kind: 'dispatchers' is no table of payoffs; allowed: congestion, two-stage, caching",
        ),
    ],
)
def test_what_no_file_can_hold_is_refused_and_nothing_is_written(
    text: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "game").write_text(text, encoding="utf-8")
    out = tmp_path / "out.nfg"
    assert main(["solve", str(tmp_path / "game"), "--nfg", str(out)]) == 2
    shown = capsys.readouterr()
    assert (shown.out, out.exists()) == ("", False)
    assert fault in shown.err
    assert shown.err.count("\n") == 1


def test_a_place_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "game").write_text(PAYOFFS, encoding="utf-8")
    assert main(["solve", str(tmp_path / "game"), "--nfg", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1


def test_standard_input_may_be_a_file_of_gambit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(PAYOFFS.encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    assert main(["solve", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "normal-form"


HEAD = 'NFG 1 R "t" { "A" "B" } '
FAULTS = {
    "version": ('NFG 2 R "t"', "file:1: version 1 is wanted, got '2'"),
    "kind": ('NFG 1 X "t"', "file:1: R or D is wanted, got 'X'"),
    "title": ("NFG 1 R { }", "file:1: a title in quotes is wanted, got '{'"),
    "end": ('NFG 1 R "t"\n', "file:2: '{' before players is wanted, got the end of the file"),
    "quote": ('NFG 1 R "t', "file:1: a quote that ends the text is wanted, got '\"t'"),
    "name": ('NFG 1 R "t" {\nA }', "file:2: a player's name in quotes is wanted, got 'A'"),
    "nobody": ('NFG 1 R "t" { } { } 1', "file: strategies of 0 players are wanted, and at least"),
    "few": (HEAD + "{ 2 } 1", "file: strategies of 2 players are wanted, and at least one, got"),
    "many": (HEAD + "{ 2 2 2 } 1", "file:1: '}' after the strategies of 2 players is wanted"),
    "none": (HEAD + "{ 2 0 } 1", "file:1: a number of strategies with 1 to 262144 profiles"),
    "unnamed": (HEAD + '{ { "a" } { } } 1', "a number of strategies with 1 to 262144 profiles"),
    "vast": (HEAD + "{ 999 999 } 1", "file:1: a number of strategies with 1 to 262144 profiles"),
    "digits": (HEAD + "{ 9999999999 2 } 1", "file:1: a number of strategies, at most 262144, is"),
    "short": (HEAD + "{ 2 1 }\n1 2\n3\n", "file:4: a payoff of each player in each profile, 4 in"),
    "long": (HEAD + "{ 1 1 }\n1 2\n3\n", "file:3: nothing after 2 numbers is wanted, got '3'"),
    "word": (HEAD + "{ 1 1 }\n1 x", "file:2: payoff: 'x' is not a finite number"),
    "zero": (HEAD + "{ 1 1 }\n1 1/0", "file:2: payoff: '1/0' divides by zero"),
    "nan": (HEAD + "{ 1 1 }\n1 nan", "file:2: payoff: 'nan' is not a finite number"),
    "digits-of-payoff": (HEAD + "{ 1 1 } 1 " + "7" * 5000, "file:1: payoff: number longer than"),
    "denominators": (
        HEAD + "{ 1 1 } " + " ".join(f"1/{10**900 + k}" for k in (1, 2)),
        "file: payoffs: their common denominator has over 300 digits",
    ),
    "outcome-payoffs": (HEAD + '{ 1 1 } { { "" 1 } } 1', "file: outcome 1: 2 payoffs are wanted"),
    "outcome-name": (HEAD + "{ 1 1 } { { 1 2 } } 1", "file:1: an outcome's name in quotes is"),
    "outcome-number": (
        HEAD + '{ 1 1 } { { "" 1 2 } }\n2',
        "file:2: a number of an outcome, 0 to 1, is wanted, got '2'",
    ),
    "outcome-open": (HEAD + '{ 1 1 } { { "" 1 2', "file:1: payoff: '' is not a finite number"),
    "outcomes-missing": (HEAD + '{ 2 1 } { { "" 1 2 } }\n1', "a number of an outcome, 2 in all"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_one_line_that_names_the_place(name: str) -> None:
    text, fault = FAULTS[name]
    with pytest.raises(InputError) as refused:
        nfg.parse(text, "file")
    assert fault in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


PIECES = st.sampled_from(['"', "{", "}", ",", "\\", "NFG", "9" * 30, "1/0", "\0", "é", "\n", " "])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([PAYOFFS, OUTCOMES]), st.data())
def test_broken_text_is_read_or_refused(text: str, data: st.DataObject) -> None:
    for _ in range(2):
        first = data.draw(st.integers(0, len(text)))
        last = data.draw(st.integers(first, min(len(text), first + 3)))
        text = text[:first] + data.draw(PIECES) + text[last:]
    try:
        form = nfg.parse(text, "file")
    except InputError as refused:
        assert str(refused).startswith("file")  # noqa: PT017 (either answer will do)
    else:
        assert nfg.parse(nfg.text_of(form), "file").costs.space == form.costs.space


@pytest.mark.parametrize(
    "text",
    [
        'NFG 1 R "' + '\\"' * 10**6,
        'NFG 1 R "t" { ' + '"" ' * 10**5 + "} { " + "262144 " * 10**5,
        'NFG 1 R "t" { ' * 10**5,
    ],
)
def test_long_hostile_text_is_refused_at_once(text: str) -> None:
    """By whoever runs the tests: what follows the quotes must not be searched for each of them."""
    with pytest.raises(InputError):
        nfg.parse(text, "file")


@pytest.mark.skipif(
    importlib.util.find_spec("pygambit") is None, reason="Gambit's own package is not installed"
)
@pytest.mark.parametrize("text", [CONGESTION, CACHING, PAYOFFS, OUTCOMES])
def test_gambit_finds_the_same_pure_equilibria(text: str, tmp_path: Path) -> None:
    import pygambit  # type: ignore[import-not-found]

    out = tmp_path / "out.nfg"
    solved(text, tmp_path, "auto", str(out))
    ours = {tuple(profile) for profile in solve_file(str(out))["profiles"]}
    labels = nfg.parse(out.read_text("utf-8"), "out").strategies
    game = pygambit.read_nfg(str(out))
    theirs = set()
    for found in pygambit.nash.enumpure_solve(game).equilibria:
        chosen = [
            [found[player][label] for label in names].index(1)
            for player, names in zip(game.players, labels, strict=True)
        ]
        theirs.add(tuple(chosen))
    assert theirs == ours
