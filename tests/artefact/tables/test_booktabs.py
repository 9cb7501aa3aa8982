"""Table environments: rules, escaping, several pages, several parts."""

import shutil
import subprocess
from pathlib import Path

import pytest

from anarchy.artefact.tables.booktabs import LONG, Column, latex_table, wide_table
from tests.artefact.conftest import HOSTILE

PAPER = Path(__file__).parents[3] / "paper"
COLUMNS = [Column("name"), Column("a measured quantity (ms)", "r")]


def test_a_short_table_floats() -> None:
    table = latex_table(COLUMNS, [["x", "1 ± 2"], [], ["y_1", "3"]], "A & B", "t")
    assert r"\caption{A \& B.}\label{tab:t}" in table
    assert "x    & 1 \\ensuremath{\\pm} 2 \\\\\n\\addlinespace\ny\\_1 & 3" in table
    assert table.count(r"\toprule") == table.count(r"\bottomrule") == 1
    assert r"\begin{table}" in table
    assert "longtable" not in table


def test_a_long_table_repeats_its_head() -> None:
    table = latex_table(COLUMNS, [["x", str(i)] for i in range(LONG + 1)], "T", "t")
    assert r"\begin{longtable}" in table
    assert table.count("& \\begin{tabular}[b]{@{}r@{}}a measured") == 2


def test_paragraphs_count_as_many_lines() -> None:
    columns = [Column("why", "p", 0.3)]
    rows = [["word " * 100]] * 10
    assert "longtable" in latex_table(columns, rows, "T", "t")
    assert "longtable" not in latex_table(columns, [["word"]] * 10, "T", "t")


def test_an_empty_table_says_so() -> None:
    assert r"\multicolumn{2}{@{}l}{none} \\" in latex_table(COLUMNS, [], "T", "t")


def test_a_bracket_is_no_argument_of_the_line_break() -> None:
    assert "{}[1, 2]" in latex_table([Column("interval")], [["x"], ["[1, 2]"]], "T", "t")


def test_cells_keep_their_digits() -> None:
    # tabulate would print 1.20 as 1.2 and 007 as 7 if it took them for numbers.
    assert "1.20 & 007" in latex_table(COLUMNS, [["1.20", "007"]], "T", "t")


def test_wide_tables_are_split_with_their_keys() -> None:
    values = [Column(f"measure {i}", "r") for i in range(12)]
    row = ["key", *(f"{i}00.00 ± 0.00" for i in range(12))]
    text = wide_table([Column("key")], values, [row, [], row], "T", "t")
    parts = text.split(r"\begin{table}")[1:]
    assert len(parts) == 2
    assert all(part.count("key ") == 3 and r"\addlinespace" in part for part in parts)
    assert r"\label{tab:t}" in parts[0]
    assert r"(part 2 of 2).}\label{tab:t:2}" in parts[1]
    for i in range(12):
        assert text.count(f"{i}00.00 ") >= 2


def test_a_single_value_too_wide_is_not_dropped() -> None:
    cell = "x" * 200
    assert cell in wide_table([Column("k")], [Column("v")], [["a", cell]], "T", "t")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs TeX")
def test_tex_sets_hostile_tables_within_the_page(tmp_path: Path) -> None:
    rows = [[HOSTILE[:40], f"{i}.00 ± 0.01", "12,345 ± 12", "[a] & b"] for i in range(60)]
    columns = [Column(HOSTILE), *(Column(f"Mean end-to-end latency {i} (ms)", "r") for i in "abc")]
    tables = wide_table(columns[:1], columns[1:], rows, HOSTILE, "a")
    tables += wide_table(columns[:1], columns[1:], rows[:3], HOSTILE, "b")
    document = (
        "\\documentclass[10pt]{article}\\input{preamble}\\begin{document}\n"
        f"{tables}\\end{{document}}"
    )
    (tmp_path / "x.tex").write_text(document, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "x.tex"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "TEXINPUTS": f"{PAPER}:", "HOME": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert "Overfull" not in (tmp_path / "x.log").read_text(errors="replace")
