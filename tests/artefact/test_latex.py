"""No text of a user's file can command TeX or break it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.artefact.latex import latex_escape
from tests.artefact.conftest import HOSTILE

PAPER = Path(__file__).parents[2] / "paper"

# All that escaping may leave: plain characters, escaped ones, named ones, and single math symbols.
HARMLESS = re.compile(
    r"(?:[^\\{}$&%#_^~]|\\[{}$&%#_]|\\(?:text[a-z]+|ldots)\{\}|"
    r"\\ensuremath\{(?:-|\\[A-Za-z]+|\\times 10\^\{-?[0-9]+\})\})*"
)


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("100 % & more", r"100 \% \& more"),
        (r"\input{x}", r"\textbackslash{}input\{x\}"),
        ("a_b^c~d", r"a\_b\textasciicircum{}c\textasciitilde{}d"),
        ("2.687×10^−4", r"2.687\ensuremath{\times 10^{-4}}"),
        (
            "3×10^20 a×10^b",
            r"3\ensuremath{\times 10^{20}} a\ensuremath{\times}10\textasciicircum{}b",
        ),
        ("1 ± 0.5", r"1 \ensuremath{\pm} 0.5"),
        ("τ and ω", r"\ensuremath{\tau} and \ensuremath{\omega}"),
        ("λ Λ", r"\ensuremath{\lambda} \ensuremath{\Lambda}"),
        ("Mölder ŁŸ", "Mölder ŁŸ"),
        ("ǎ", "a"),
        ("中", "[U+4E2D]"),
        ("one\n\ntwo\tthree", "one two three"),
        ("", ""),
    ],
)
def test_escapes(text: str, escaped: str) -> None:
    assert latex_escape(text) == escaped


def test_fractions_and_powers_never_become_other_numbers() -> None:
    # Compatibility decomposition would print "½" as 12 and a superscript four as 4.
    assert latex_escape("½ ⁴") == "½ [U+2074]"


@given(st.text())
def test_leaves_no_active_character(text: str) -> None:
    assert HARMLESS.fullmatch(latex_escape(text))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs TeX")
def test_tex_prints_it(tmp_path: Path) -> None:
    characters = "".join(chr(c) for c in [*range(0x20, 0x250), *range(0x370, 0x400), 0x2212])
    text = latex_escape(HOSTILE + characters + "±×·−≤≥≈≠∞√→★µ–—…‘’“”\x07")
    document = (
        rf"\documentclass{{article}}\input{{preamble}}\begin{{document}}\section{{{text}}}"
        rf"\begin{{tabular}}{{p{{\linewidth}}}}{text}\end{{tabular}}\end{{document}}"
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
    assert b"Missing character" not in (tmp_path / "x.log").read_bytes()
