"""The paper's text held against its macros: nothing undefined, unused or typed by hand."""

import re
from collections.abc import Iterable
from pathlib import Path

from anarchy.artefact.numbers import BUILD_NOTE, Number

_COMMENT = re.compile(r"(?<!\\)%.*")
_MATH_ENVIRONMENT = re.compile(
    r"\\begin\{(equation|align|gather|multline)(\*?)\}.*?\\end\{\1\2\}", re.DOTALL
)
_MATH = re.compile(r"\\\(.*?\\\)|\\\[.*?\\\]|(?<!\\)\$[^$]*\$", re.DOTALL)
# Commands whose arguments hold no result: names of things, and facts typed with their citation.
_ARGUMENT = re.compile(
    r"\\(?:cite[a-z]*|[a-z]*ref|label|includegraphics|input|url|href|given|experimentfigure)\*?"
    r"(?:\[[^\]]*\])*\{[^{}]*\}|\\experimenttable\{[^{}]*\}\{[^{}]*\}"
)
# 1P/2D, 70B, B200, P99, TP8, FP8, G1, C32, M/M/1, and the two models of the source.
_NAME = re.compile(
    r"(?<![\w.])(?:\d+P/\d+D|\d+B|[A-Z]{1,2}\d+|M/[MD]/\d|Llama-3\.1|Nemotron-4)(?![\w.]*\d)"
)
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_DEFINED = re.compile(r"\\(?:newcommand|DeclareMathOperator)\*?\{\\([A-Za-z]+)\}")
# LaTeX's own commands that start with a capital letter, as the macros of numbers do.
_LATEX = re.compile(
    r"Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega|Pr|S|P|(La)?TeX|Vert|"
    r"Bigg?[lr]?|(Long)?([Ll]eft)?([Rr]ight)?arrow|Large|LARGE|Huge"
)


def check_macros(paper_dir: Path, declared: Iterable[Number]) -> list[str]:
    r"""Faults of the text, one line each: macros undefined or unused, results typed by hand.

    Checked are `sections/*.tex`, and that `main.tex` prints the note on the build. A macro of a
    number starts with a capital letter. A digit is a literal result unless it stands in a comment,
    in math, in a name (1P/2D, 70B, B200, P99), in the argument of a command such as \cite, or in
    \given{...}: a published or configured fact, which the text types together with its source.
    """
    macros = {entry.macro for entry in declared}
    frame = (paper_dir / "preamble.tex").read_text(encoding="utf-8")
    defined = macros | {BUILD_NOTE} | set(_DEFINED.findall(frame))
    used: set[str] = set()
    faults = []
    for path in sorted((paper_dir / "sections").glob("*.tex")):
        text = "\n".join(_COMMENT.sub("", x) for x in path.read_text(encoding="utf-8").split("\n"))
        for match in _COMMAND.finditer(text):
            used.add(match[1])
            if match[1][0].isupper() and not (match[1] in defined or _LATEX.fullmatch(match[1])):
                faults.append(f"{path}:{_line(text, match.start())}: undefined macro \\{match[1]}")
        for pattern in (_MATH_ENVIRONMENT, _MATH, _ARGUMENT, _NAME):
            text = pattern.sub(lambda m: "\n" * m[0].count("\n"), text)
        faults += [
            f"{path}:{i}: a number typed by hand: '{line.strip()[:60]}'"
            for i, line in enumerate(text.split("\n"), start=1)
            if any(c.isdigit() for c in line)
        ]
    faults += [f"macro \\{m} is declared but never used" for m in sorted(macros - used)]
    main = (paper_dir / "main.tex").read_text(encoding="utf-8")
    if BUILD_NOTE not in _COMMAND.findall(_COMMENT.sub("", main)):
        faults.append(f"main.tex does not print \\{BUILD_NOTE}")
    return faults


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
