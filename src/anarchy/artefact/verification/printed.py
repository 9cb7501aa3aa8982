"""The numbers of the text, read back: from the results, from the macros, and from the PDF.

Three files are held against each other that are read apart: the macros must be what the results
say, and at every place where a source of the text has a macro, the PDF must show its value.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import PyPdfError

from anarchy.artefact.numbers import GAP
from anarchy.artefact.verification.checks import Check, check, skipped

GROUP = "PDF"

CONTEXT = 24
"""Characters of the text before and after a number by which its place in the PDF is found."""

LEAST_CONTEXT = 3
"""Letters that make a context: less of it is found anywhere."""

SUFFICIENT_CONTEXT = 10
"""Characters that tell a place alone, on one side or close by."""

_MACRO = re.compile(r"^\\newcommand\{\\([A-Za-z]+)\}\{(.*)\}$", re.MULTILINE)
_COMMENT = re.compile(r"(?<!\\)%.*")
_TOKEN = re.compile(r"\d+(?:\.\d+)*|[A-Za-z/−∞]")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_SIGNS = {r"\times": " × ", r"\infty": "∞", "{,}": ",", "-": "−"}
# Commands that print their argument as it is, and commands that print no letter or digit.
_PLAIN = re.compile(
    r"\\(?:given|emph|textbf|textit|texttt|textsc|mathrm|mathit|text|ensuremath|mbox|committed"
    r"|tau|omega|mu|rho|lambda|gamma|alpha|beta|epsilon|Delta|delta|le|ge|leq|geq|approx|times"
    r"|cdot|pm|quad|qquad|left|right|noindent|par|small)(?![A-Za-z])|\\[^A-Za-z]"
)
# Any other command, with the arguments that are whole: what it prints is not known.
_COMMAND = re.compile(r"\\[A-Za-z]+\*?(?:\[[^\]]*\])*(?:\{[^{}]*\})*")
_USE = re.compile(r"\\([A-Za-z]+)(?:\{\})?")


@dataclass(frozen=True)
class Use:
    """A macro at one place of a source, with what is printed around it, normalised."""

    place: str
    macro: str
    before: str
    after: str
    minus: bool  # whether the source has a minus or a hyphen in front of it


def read_macros(text: str) -> dict[str, str]:
    """The macros of numbers.tex and what each is defined as."""
    return dict(_MACRO.findall(text))


def uses(source: str, name: str, macros: Mapping[str, str]) -> Iterator[Use]:
    """Every use of a macro in a source of the text; `name` is that of the file."""
    text = "\n".join(_COMMENT.sub("", line) for line in source.split("\n"))
    for match in _USE.finditer(text):
        if match[1] in macros:
            start, end = match.span()
            ahead, behind = text[max(0, start - 400) : start], text[end : end + 400]
            yield Use(
                f"{name}:{text.count(chr(10), 0, start) + 1}",
                match[1],
                _context(ahead, macros, -1)[-CONTEXT:],
                _context(behind, macros, 0)[:CONTEXT],
                ahead.rstrip(" {$").endswith("-"),
            )


def _context(source: str, macros: Mapping[str, str], end: int) -> str:
    """What is sure to be printed at one end of a piece of a source, without numbers if it can be.

    Or a number that is wrong would make the next one look wrong too. What a gap prints differs
    between text and formulas.
    """
    known = {name: text for name, text in macros.items() if GAP not in text}
    for put_in in ({}, known):
        words = normalised(_COMMAND.split(_plain(source, put_in))[end])
        if _letters(words) >= LEAST_CONTEXT:
            break
    return words


def _plain(source: str, macros: Mapping[str, str]) -> str:
    """A piece of a source with its macros put in and its plain commands taken out."""
    put_in = _USE.sub(lambda m: spoken(macros[m[1]]) if m[1] in macros else m[0], source)
    return _PLAIN.sub(" ", put_in)


def spoken(definition: str) -> str:
    """What the definition of a macro prints."""
    words = definition
    for sign, printed in _SIGNS.items():
        if sign != "-" or r"\ensuremath" in words:
            words = words.replace(sign, printed)
    return _PLAIN.sub("", words).replace("{", "").replace("}", "")


def normalised(text: str) -> str:
    """What a PDF and its source both are sure to show of a text.

    These are letters, the digits of numbers with their point and minus, and strokes; a bar where
    two numbers would run together. Spaces, hyphens and commas are left out: lines are broken.
    """
    flat = _THOUSANDS.sub("", unicodedata.normalize("NFKC", text))
    shown: list[str] = []
    for token in _TOKEN.findall(flat):
        if shown and shown[-1][-1].isdigit() and token[0].isdigit():
            shown.append("|")
        shown.append(token)
    return "".join(shown)


def read_pdf(path: Path) -> str:
    """The text of a PDF, normalised. Raises PyPdfError where it is none."""
    return normalised("\n".join(page.extract_text() for page in PdfReader(path).pages))


def check_pdf(pdf: Path, sources: Iterable[Path], macros: Mapping[str, str]) -> list[Check]:
    """Whether the PDF shows the value of each macro at each place where a source has it."""
    try:
        text = read_pdf(pdf)
    except (PyPdfError, OSError) as error:
        return [check(GROUP, pdf.name, f"cannot be read: {error}")]
    found = [
        use for path in sources for use in uses(path.read_text(encoding="utf-8"), path.name, macros)
    ]
    return [check_use(use, macros[use.macro], text) for use in found]


def check_use(use: Use, definition: str, text: str) -> Check:
    """Whether a normalised text has the number where its source does."""
    name, number = f"{use.place} {use.macro}", normalised(spoken(definition))
    if GAP in definition or not number:
        return skipped(GROUP, name, "left out by a coarse build")
    there = _instead(use, number, text)
    if there is None:
        return check(GROUP, name, "", number, number)
    fault = f"the PDF shows {there}" if there else "the PDF does not show it there"
    return check(GROUP, name, f"the macro is {number}, {fault}", there, number)


def _instead(use: Use, number: str, text: str) -> str | None:
    """What a text has in the place of a number: None if that itself, nothing if no such place.

    Its own words around it are looked for first; words around another number are a fault; words on
    one side or the nearest ones do, since a page may end there or a figure stand between. A number
    without words is looked for alone.
    """
    if _letters(use.before + use.after) < LEAST_CONTEXT:
        return None if _shows(text, "", number, "", use.minus) else ""
    if _shows(text, use.before, number, use.after, use.minus):
        return None
    if use.before and use.after:
        pattern = f"{re.escape(use.before)}(.{{0,{CONTEXT}}}?){re.escape(use.after)}"
        for match in re.finditer(pattern, text):
            there = match[1].strip("|")
            page = re.fullmatch(rf"(\d+\|)?{re.escape(number)}(\|\d+)?", there)
            return None if page else there
    for before, after in ((use.before, ""), ("", use.after), *_nearest(use)):
        long = len(before + after) >= SUFFICIENT_CONTEXT
        if long and _shows(text, before, number, after, use.minus):
            return None
    at = text.find(use.before) + len(use.before) if use.before else -1
    return text[at : at + CONTEXT] if at >= len(use.before) else ""


def _nearest(use: Use) -> Iterator[tuple[str, str]]:
    """The characters that touch a number, as many as suffice: more before it, or more after."""
    for count in range(1, SUFFICIENT_CONTEXT):
        yield use.before[-count:], use.after[: SUFFICIENT_CONTEXT - count]


def _shows(text: str, before: str, number: str, after: str, minus: bool) -> bool:
    """Whether the number is there, between these words, and no part of a longer one."""
    sign = "" if minus or before else "−"
    ahead = rf"(?<![\d.{sign}])" if number[0].isdigit() else ""
    behind = r"(?![\d.])" if number[-1].isdigit() else ""
    words = (re.escape(part) for part in (before, number, after))
    pattern = "{0}\\|?{ahead}{1}{behind}\\|?{2}".format(*words, ahead=ahead, behind=behind)
    return re.search(pattern, text) is not None


def _letters(text: str) -> int:
    return sum(map(str.isalpha, text))
