"""Every number of the paper's text: declared in YAML, taken from results, written as macros."""

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from anarchy.artefact.latex import latex_escape
from anarchy.common.errors import MOST_CHARACTERS, InputError, printable, suggest
from anarchy.common.files import read_rows, same_value, write_text
from anarchy.config.base import Model, Scalar
from anarchy.config.validation import validate
from anarchy.config.yaml_files import load_yaml

HEADER = "% Written by the rule write_numbers from paper/numbers.d; do not edit.\n"


GAP = "--"
BUILD_NOTE = "BuildNote"
"""The macro that says what is unusual about the numbers of a build; empty when nothing is."""
COARSE_NOTE = "Coarse build: points are left out and print as --."
COMMITTED_NOTE = (
    r"\textsuperscript{\textdagger} Committed reference value: the trace was not at hand in this "
    "build."
)


class NoValue(InputError):
    """The results have no row for a macro, or no value in it.

    A coarse build has none for hundreds of macros, and what somebody may have meant instead takes
    long to find: `hint` is asked for it when the message is.
    """

    def __init__(self, message: str, hint: Callable[[], str] = str) -> None:
        super().__init__(message)
        self._hint = hint

    def __str__(self) -> str:
        return printable(f"{super().__str__()}{self._hint()}", MOST_CHARACTERS)


class Number(Model):
    """One macro: the row it is read from and how it is printed.

    `format` is a Python format specification (".3g", ".1f", ",d") or one of
    int (thousands set apart), frac (an exact rational such as "5/2"), ms (seconds times 1000),
    percent (times 100; the sign is the text's), text (escaped), interval ([`lo`, `hi`]; a
    specification for both may follow).
    """

    macro: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z]*$")]
    file: str = Field(description="relative to the results folder")
    id: str | None = None
    where: dict[str, Scalar | None] = Field(default={}, description="further columns to match")
    field: str = "value"
    format: str = ".3g"
    scale: float = 1.0
    null: str | None = Field(None, description="text for a null value; without it null is refused")


def read_declarations(paths: Iterable[Path]) -> list[Number]:
    """The macros declared in YAML files, each a list; two of the same name are refused."""
    declared: dict[str, tuple[Path, Number]] = {}
    for path in sorted(paths):
        for position, entry in enumerate(_read_list(path), start=1):
            name = entry.get("macro") if isinstance(entry, dict) else None
            source = f"{path}: {name or f'entry {position}'}"
            if not isinstance(entry, dict):
                raise InputError(f"{source}: expected keys with values, not {entry!r}")
            parsed = validate(Number, entry, source)
            if parsed.macro == BUILD_NOTE:
                raise InputError(f"{source}: macro {BUILD_NOTE} is reserved for the build's note")
            if parsed.macro in declared:
                first = declared[parsed.macro][0]
                raise InputError(f"{source}: macro {parsed.macro} is declared in {first} already")
            declared[parsed.macro] = (path, parsed)
    return [declared[macro][1] for macro in sorted(declared)]


def sources(declared: Iterable[Path]) -> list[str]:
    """The results files, relative to the results folder, that the declared macros read."""
    return sorted({entry.file for entry in read_declarations(declared)})


def write_numbers(
    declared: Iterable[Path],
    results_dir: Path,
    out: Path,
    committed: Mapping[str, Path] | None = None,
    coarse: bool = False,
    left_out: Collection[str] = (),
) -> None:
    r"""Write one `\newcommand` a macro, sorted by name, and last the note on the build.

    `committed` names the files that this build could not compute, with the committed reference
    values that stand in for them; macros read from there are marked by `\committed`. A `coarse`
    build leaves points out on purpose, so that a macro without a value prints a gap there; so do
    those of the files `left_out`, which it does not make. The note explains the gaps and the marks
    where there can be any.
    Raises InputError naming the macro when its file is missing, no row or several rows match, the
    field is absent, or the value does not take the format.
    """
    instead = committed or {}
    files: dict[str, list[dict[str, Any]]] = {}
    lines = []
    for entry in read_declarations(declared):
        if entry.file in left_out:
            lines.append(rf"\newcommand{{\{entry.macro}}}{{{GAP}}}")
            continue
        if entry.file not in files:
            path = instead.get(entry.file, results_dir / entry.file)
            if not path.is_file():
                raise InputError(f"macro {entry.macro}: no file {path}")
            files[entry.file] = read_rows(path)
        try:
            text = render(entry, find_row(entry, files[entry.file]))
        except NoValue:
            if not coarse:
                raise
            text = GAP
        if entry.file in instead:
            text = rf"\committed{{{text}}}"
        lines.append(rf"\newcommand{{\{entry.macro}}}{{{text}}}")
    notes = [COARSE_NOTE] * coarse + [COMMITTED_NOTE] * any(file in instead for file in files)
    note = rf"\par\smallskip\noindent{{\footnotesize {' '.join(notes)}\par}}" if notes else ""
    lines.append(rf"\newcommand{{\{BUILD_NOTE}}}{{{note}}}")
    write_text(out, HEADER + "".join(f"{line}\n" for line in lines))


def find_row(entry: Number, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The one row that has the declared id and the columns of `where`."""
    wanted = dict(entry.where) if entry.id is None else {"id": entry.id, **entry.where}
    found = [r for r in rows if all(k in r and same_value(r[k], v) for k, v in wanted.items())]
    if len(found) == 1:
        return found[0]
    asked = ", ".join(f"{k} = {v}" for k, v in wanted.items())
    fault = f"macro {entry.macro}: {len(found) or 'no'} rows of {entry.file} have {asked}"
    if found:
        raise InputError(f"{fault}; name more columns in `where`")
    raise NoValue(fault, partial(_misspelt, wanted, rows))


def _misspelt(wanted: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """A hint at the first column that alone rules every row out: nearly always the misspelt one."""
    for key, value in wanted.items():
        if not any(key in r and same_value(r[key], value) for r in rows):
            known = sorted({str(r[key]) for r in rows if key in r})
            columns = sorted({k for r in rows for k in r})
            return f"; {key}: {suggest(str(value), known) if known else suggest(key, columns)}"
    return ""


def render(entry: Number, row: Mapping[str, Any]) -> str:
    """The value of the entry's field as LaTeX that is right in text and in math."""
    if entry.format.startswith("interval"):
        spec = entry.format.removeprefix("interval").lstrip() or ".3g"
        ends = [_render(entry, _get(entry, row, end), spec) for end in ("lo", "hi")]
        return f"[{ends[0]}, {ends[1]}]"
    return _render(entry, _get(entry, row, entry.field), entry.format)


def _render(entry: Number, value: Any, spec: str) -> str:
    if value is None:
        if entry.null is None:
            raise NoValue(f"macro {entry.macro}: the value is null; give `null: <text>` for it")
        return latex_escape(entry.null)
    if spec == "text":
        return latex_escape(str(value))
    if isinstance(value, float) and math.isinf(value):
        return r"\ensuremath{\infty}" if value > 0 else r"\ensuremath{-\infty}"
    try:
        if spec == "frac":
            return _fraction(Fraction(str(value)))
        return _formatted(value * entry.scale if entry.scale != 1.0 else value, spec)
    except (TypeError, ValueError):
        raise InputError(
            f"macro {entry.macro}: value {value!r} does not take the format '{spec}'"
        ) from None


def _formatted(value: float, spec: str) -> str:
    if spec == "int":
        if float(value) != round(value):
            raise ValueError(value)
        text = f"{round(value):,d}"
    elif spec in ("ms", "percent"):
        text = f"{value * (1000 if spec == 'ms' else 100):.3g}"
    else:
        text = format(value, spec)
    mantissa, _, exponent = text.partition("e")
    if exponent:
        return rf"\ensuremath{{{mantissa}\times 10^{{{int(exponent)}}}}}"
    # Braces keep the comma of thousands from being set as punctuation in math.
    text = text.replace(",", "{,}")
    return rf"\ensuremath{{{text}}}" if text.startswith("-") else text


def _fraction(value: Fraction) -> str:
    text = str(value)
    return text if text.isdecimal() else rf"\ensuremath{{{text}}}"


def _get(entry: Number, row: Mapping[str, Any], field: str) -> Any:
    if field not in row:
        raise InputError(
            f"macro {entry.macro}: {entry.file} has no field '{field}'; {suggest(field, row)}"
        )
    return row[field]


def _read_list(path: Path) -> list[Any]:
    data = load_yaml(path)
    if data is None:
        return []
    if not isinstance(data, list):
        raise InputError(f"{path}: expected a list of macros, not {type(data).__name__}")
    return data
