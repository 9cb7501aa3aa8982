"""The text of the paper: every number from a macro, every macro in use; and the check itself."""

from pathlib import Path

import pytest

from anarchy.artefact.numbers import Number, read_declarations
from anarchy.artefact.text_check import check_macros
from anarchy.common.paths import ROOT

PAPER = ROOT / "paper"


def test_the_paper_types_no_result_and_uses_every_macro() -> None:
    assert check_macros(PAPER, read_declarations((PAPER / "numbers.d").glob("*.yaml"))) == []


def test_every_bibliography_entry_is_cited() -> None:
    text = "".join(p.read_text() for p in sorted((PAPER / "sections").glob("*.tex")))
    keys = {
        line.partition("{")[2].rstrip().rstrip(",")
        for path in [PAPER / "references.bib", *(PAPER / "references.d").glob("*.bib")]
        for line in path.read_text().splitlines()
        if line.startswith("@")
    }
    assert [key for key in sorted(keys) if key not in text] == []


def check(tmp_path: Path, text: str, main: str = r"\BuildNote") -> list[str]:
    (tmp_path / "sections").mkdir()
    (tmp_path / "sections" / "a.tex").write_text(text, encoding="utf-8")
    (tmp_path / "preamble.tex").write_text(r"\newcommand{\Own}{x}\DeclareMathOperator{\OPT}{OPT}")
    (tmp_path / "main.tex").write_text(main)
    return check_macros(tmp_path, [Number(macro="Knee", file="x.json")])


@pytest.mark.parametrize(
    "text",
    [
        r"A 1P/5D of 70B on B200 with TP8 and FP8: P99, G1 to G4, C01, M/M/1, Llama-3.1-70B.",
        r"In math $x_1 = 2$, \(3\), \[4\] and \begin{align*}5 &= 6\\7\end{align*}.",
        "Over lines: $a\n= 2$.",
        r"Cited \citep[p.~3]{a2026,b2025}, \given{7.6} times, Figure~\ref{fig:1}, \eqref{eq:2}.",
        r"\includegraphics[width=0.8\linewidth]{p99}\label{sec:3}\input{tables/x1}",
        r"\experimentfigure{p99-sweep}{Caption.} \experimenttable{knees}{x2}",
        "A comment % says 99 times\nand \\Own, \\OPT, $\\Omega$, $\\Bigl($ and \\LaTeX{} pass.",
    ],
)
def test_text_without_results_passes(tmp_path: Path, text: str) -> None:
    assert check(tmp_path, text + r" \Knee{}") == []


@pytest.mark.parametrize(
    "text",
    [
        "It is 3.1 times faster.",
        r"At 5\,\% of the cost.",
        r"Costs 5\% more $x$ and 7 less.",
        r"\experimentfigure{x}{It takes 12 ms.}",
        "B200x7 and 70B5",
        "A line\n\nthen 8 more",
        "in TP8, 24 GPUs",
    ],
)
def test_a_typed_result_fails(tmp_path: Path, text: str) -> None:
    assert [f for f in check(tmp_path, text + r" \Knee{}") if "typed by hand" in f]


def test_the_line_of_a_fault_is_named(tmp_path: Path) -> None:
    (fault,) = check(tmp_path, "$a\n$\n\\begin{equation}\n1\n\\end{equation} \\Knee{}\n9 lives")
    assert "a.tex:6: " in fault


def test_undefined_and_unused_macros_fail(tmp_path: Path) -> None:
    faults = check(tmp_path, r"One is \Kneee{}.")
    assert [f.partition(": ")[2] or f for f in faults] == [
        r"undefined macro \Kneee",
        r"macro \Knee is declared but never used",
    ]


@pytest.mark.parametrize("main", ["", "% \\BuildNote", r"\BuildNotes"])
def test_the_note_on_the_build_must_be_printed(tmp_path: Path, main: str) -> None:
    assert check(tmp_path, r"\Knee{}", main) == [r"main.tex does not print \BuildNote"]
