"""What the project declares by name: macros, claims, experiments, studies; found fast.

Reading all declarations as a build does takes longer than an explanation may, so that names and
lines are looked up in the text, and only what is asked for is read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from anarchy.artefact.explanation.places import Place, lines_of
from anarchy.artefact.numbers import Number
from anarchy.common.paths import CLAIMS, EXPERIMENTS, PAPER, STUDIES
from anarchy.config.validation import validate
from anarchy.config.yaml_files import parse_yaml, read_yaml

_MACRO = re.compile(r"\bmacro: *(\w+)")
_CLAIM = re.compile(r" *- id: *(C\d\d)\b")
_ENTRY = re.compile(r"( *)- ")


def macros(root: Path) -> dict[str, Place]:
    """Where each macro is declared."""
    return {name: place for name, place, _ in _macro_lines(root)}


def macros_of(root: Path, file: str) -> dict[str, Place]:
    """The macros that are read from a results file, by its place below results/."""
    read = re.compile(rf"\bfile: *\"?{re.escape(file)}[\",}}]")
    return {name: place for name, place, text in _macro_lines(root) if read.search(text)}


def _macro_lines(root: Path) -> Iterator[tuple[str, Place, str]]:
    for path in sorted((root / PAPER / "numbers.d").glob("*.yaml")):
        yield from _named(root, path, _MACRO)


def claims(root: Path) -> dict[str, Place]:
    """Where each published claim is declared."""
    return {name: place for name, place, _ in _named(root, root / CLAIMS, _CLAIM)}


def experiments(root: Path) -> dict[str, Place]:
    """The file of each experiment."""
    return _files(root, EXPERIMENTS)


def studies(root: Path) -> dict[str, Place]:
    """The file of each study."""
    return _files(root, STUDIES)


def read_macro(root: Path, place: Place) -> Number:
    """The declaration of a macro at a place."""
    return validate(Number, _entry(root, place), str(place))


def read_claim(root: Path, place: Place) -> dict[str, Any]:
    """The declaration of a claim at a place, as it stands."""
    entry: dict[str, Any] = _entry(root, place)
    return entry


def tests_of(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tests of a claim, and those of its mechanisms."""
    inner = [test for mechanism in entry.get("mechanisms", ()) for test in mechanism["tests"]]
    return [*entry.get("tests", ()), *inner]


def claimed_files(entry: Mapping[str, Any]) -> list[str]:
    """The results files that a claim is held against."""
    chosen = [test[key] for test in tests_of(entry) for key in ("rows", "of") if test.get(key)]
    return list(dict.fromkeys(selection["file"] for selection in chosen))


def read_file(root: Path, place: Place) -> dict[str, Any]:
    """The file of an experiment or a study, as it stands."""
    return read_yaml(root / place.file)


def line(root: Path, place: Place) -> str:
    """The text of a line."""
    return lines_of(root / place.file)[place.line - 1].strip()


def mentions(root: Path, files: Iterable[str], name: str) -> Iterator[Place]:
    """The lines of some files on which a name stands by itself."""
    pattern = re.compile(rf"(?<![\w./:-]){re.escape(name)}(?![\w/-])")
    for file in files:
        for number, text in enumerate(lines_of(root / file), start=1):
            if pattern.search(text):
                yield Place(file, number)


def _named(root: Path, path: Path, pattern: re.Pattern[str]) -> Iterator[tuple[str, Place, str]]:
    file = path.relative_to(root).as_posix()
    for number, text in enumerate(lines_of(path), start=1):
        if not text.lstrip().startswith("#") and (found := pattern.search(text)):
            yield found[1], Place(file, number), text


def _files(root: Path, folder: Path) -> dict[str, Place]:
    paths = sorted((root / folder).glob("*.yaml"))
    return {path.stem: Place((folder / path.name).as_posix(), 1) for path in paths}


def _entry(root: Path, place: Place) -> Any:
    """The entry of a list in a YAML file that a line is part of."""
    lines = lines_of(root / place.file)
    start = place.line - 1
    while not _ENTRY.match(lines[start]):
        start -= 1
    indent = len(lines[start]) - len(lines[start].lstrip())
    end = start + 1
    while end < len(lines) and (
        not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent
    ):
        end += 1
    (entry,) = parse_yaml("\n".join(lines[start:end]), place.file)
    return entry
