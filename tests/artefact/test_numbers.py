"""Macros: what they print, and what is refused."""

import math
from pathlib import Path
from typing import Any

import pytest

from anarchy.artefact.numbers import (
    COARSE_NOTE,
    COMMITTED_NOTE,
    HEADER,
    Number,
    read_declarations,
    render,
    sources,
    write_numbers,
)
from anarchy.common.errors import InputError
from anarchy.common.files import write_rows

ROWS = [
    {"scenario": "a", "clients": 64, "id": "ttft", "value": 0.0512, "lo": 0.05, "hi": 0.0524},
    {"scenario": "b", "clients": 64, "id": "ttft", "value": 1.5, "lo": None, "hi": None},
    {"scenario": "b", "clients": 128, "id": "ttft", "value": math.inf},
]


def write(tmp_path: Path, text: str) -> list[Path]:
    path = tmp_path / "numbers.yaml"
    path.write_text(text, encoding="utf-8")
    write_rows(tmp_path / "results" / "x.json", ROWS)
    return [path]


@pytest.mark.parametrize(
    ("value", "options", "text"),
    [
        (2.5, {}, "2.5"),
        (12031.0, {"format": "int"}, "12{,}031"),
        (0.0512, {"format": "ms"}, "51.2"),
        (0.25, {"format": "percent"}, "25"),
        (12031.0, {"format": ".3g"}, r"\ensuremath{1.2\times 10^{4}}"),
        (1e-5, {"format": ".1e"}, r"\ensuremath{1.0\times 10^{-5}}"),
        (-13.2, {"format": ".0f"}, r"\ensuremath{-13}"),
        (2.0, {"format": ".1f", "scale": 0.5}, "1.0"),
        ("5/2", {"format": "frac"}, r"\ensuremath{5/2}"),
        ("-5/2", {"format": "frac"}, r"\ensuremath{-5/2}"),
        ("4/2", {"format": "frac"}, "2"),
        (3, {"format": "frac"}, "3"),
        (math.inf, {}, r"\ensuremath{\infty}"),
        (-math.inf, {"format": "int"}, r"\ensuremath{-\infty}"),
        ("a_b", {"format": "text"}, r"a\_b"),
        (None, {"null": "> 512"}, r"\textgreater{} 512"),
    ],
)
def test_formats(value: Any, options: dict[str, Any], text: str) -> None:
    number = Number(macro="X", file="x.json", **options)
    assert render(number, {"value": value}) == text


def test_interval() -> None:
    number = Number(macro="X", file="x.json", format="interval", scale=1000.0)
    assert render(number, ROWS[0]) == "[50, 52.4]"
    number = Number(macro="X", file="x.json", format="interval .2f", scale=1000.0)
    assert render(number, ROWS[0]) == "[50.00, 52.40]"


@pytest.mark.parametrize("value", [2.5, None, "many"])
def test_a_value_that_does_not_take_its_format(value: Any) -> None:
    number = Number(macro="Some", file="x.json", format="int")
    with pytest.raises(InputError, match="macro Some: "):
        render(number, {"value": value})


def test_writes_sorted_macros(tmp_path: Path) -> None:
    declared = write(
        tmp_path,
        "- {macro: TailB, file: x.json, id: ttft, where: {scenario: b, clients: 64}}\n"
        "- {macro: TailA, file: x.json, id: ttft, where: {scenario: a}, format: ms}\n",
    )
    out = tmp_path / "numbers.tex"
    write_numbers(declared, tmp_path / "results", out)
    assert out.read_text() == HEADER + (
        "\\newcommand{\\TailA}{51.2}\n\\newcommand{\\TailB}{1.5}\n\\newcommand{\\BuildNote}{}\n"
    )


def test_committed_values_are_marked(tmp_path: Path) -> None:
    declared = write(tmp_path, "- {macro: Lost, file: gone.json, id: ttft, where: {scenario: a}}")
    out = tmp_path / "numbers.tex"
    write_numbers(
        declared, tmp_path / "results", out, {"gone.json": tmp_path / "results" / "x.json"}
    )
    text = out.read_text()
    assert r"\newcommand{\Lost}{\committed{0.0512}}" in text
    assert build_note(text).count(COMMITTED_NOTE) == 1
    assert COARSE_NOTE not in text


def test_what_is_committed_but_not_read_needs_no_note(tmp_path: Path) -> None:
    declared = write(tmp_path, "- {macro: Own, file: x.json, id: ttft, where: {scenario: a}}")
    out = tmp_path / "numbers.tex"
    write_numbers(declared, tmp_path / "results", out, {"gone.json": tmp_path / "gone.json"})
    assert build_note(out.read_text()) == "{}"


def build_note(text: str) -> str:
    return text.partition(r"\newcommand{\BuildNote}")[2].strip()


def test_sources_are_named_once(tmp_path: Path) -> None:
    declared = write(
        tmp_path,
        "- {macro: A, file: b.json}\n- {macro: B, file: a.json}\n- {macro: C, file: a.json}",
    )
    assert sources(declared) == ["a.json", "b.json"]


def test_integers_of_yaml_match_floats_of_results_but_true_is_not_one(tmp_path: Path) -> None:
    write_rows(tmp_path / "x.json", [{"t": 0.7, "flag": True, "value": 1}])
    declared = tmp_path / "n.yaml"
    declared.write_text("- {macro: A, file: x.json, where: {t: 0.7, flag: true}}")
    write_numbers([declared], tmp_path, tmp_path / "out.tex")
    declared.write_text("- {macro: A, file: x.json, where: {t: 0.7, flag: 1}}")
    with pytest.raises(InputError, match="no rows"):
        write_numbers([declared], tmp_path, tmp_path / "out.tex")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- {macro: A, file: y.json}", "macro A: no file"),
        ("- {macro: A, file: x.json, id: ttfd}", "macro A: no rows .* did you mean 'ttft'"),
        ("- {macro: A, file: x.json, where: {scenari: a}}", "did you mean 'scenario'"),
        ("- {macro: A, file: x.json, where: {scenario: b}}", "macro A: 2 rows .* more columns"),
        (
            "- {macro: A, file: x.json, where: {scenario: a, clients: 128}}",
            "macro A: no rows of x.json have scenario = a, clients = 128",
        ),
        (
            "- {macro: A, file: x.json, where: {scenario: a}, field: valu}",
            "macro A: x.json has no field 'valu'; did you mean 'value'",
        ),
        ("- {macro: A1, file: x.json}", "A1: macro: "),
        ("- {macro: A, file: x.json}\n- {macro: A, file: x.json}", "A is declared in .* already"),
        ("- {macro: A, file: x.json, formt: int}", "unknown key 'formt'; did you mean 'format'"),
        ("- {macro: BuildNote, file: x.json}", "macro BuildNote is reserved"),
        ("- {file: x.json}", "entry 1: key 'macro' is missing"),
        ("- just text", "entry 1: expected keys"),
        ("macro: A", "expected a list"),
        ("- {macro: A", r"numbers.yaml:\d+: not YAML"),
    ],
)
def test_refuses(tmp_path: Path, text: str, fault: str) -> None:
    out = tmp_path / "numbers.tex"
    with pytest.raises(InputError, match=fault) as caught:
        write_numbers(write(tmp_path, text), tmp_path / "results", out)
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_a_missing_declaration_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_declarations([tmp_path / "none.yaml"])


def test_an_empty_declaration_file_declares_nothing(tmp_path: Path) -> None:
    assert read_declarations(write(tmp_path, "# nothing yet\n")) == []


def test_a_coarse_build_prints_a_gap_for_what_it_left_out(tmp_path: Path) -> None:
    write_rows(tmp_path / "x.json", [{"id": "a", "value": None}, {"id": "b", "value": 2}])
    declared = tmp_path / "n.yaml"
    declared.write_text(
        "- {macro: Lost, file: x.json, id: c}\n"
        "- {macro: Empty, file: x.json, id: a}\n"
        "- {macro: There, file: x.json, id: b}\n"
    )
    with pytest.raises(InputError, match="macro Empty: the value is null"):
        write_numbers([declared], tmp_path, tmp_path / "out.tex")
    write_numbers([declared], tmp_path, tmp_path / "out.tex", coarse=True)
    text = (tmp_path / "out.tex").read_text()
    assert r"\newcommand{\Lost}{--}" in text
    assert r"\newcommand{\Empty}{--}" in text
    assert r"\newcommand{\There}{2}" in text
    assert COARSE_NOTE in build_note(text)
    assert COMMITTED_NOTE not in text


def test_a_file_that_a_build_leaves_out_is_a_gap_too(tmp_path: Path) -> None:
    declared = tmp_path / "n.yaml"
    declared.write_text("- {macro: Lost, file: none.json, id: c}\n")
    write_numbers([declared], tmp_path, tmp_path / "out.tex", {}, True, ["none.json"])
    assert r"\newcommand{\Lost}{--}" in (tmp_path / "out.tex").read_text()
    with pytest.raises(InputError, match=r"macro Lost: no file .*none\.json"):
        write_numbers([declared], tmp_path, tmp_path / "out.tex", {}, True)
