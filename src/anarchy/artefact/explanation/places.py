"""Places in files, and where the text of the paper has what a build makes."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_COMMENT = re.compile(r"(?<!\\)%.*")
_LABEL = re.compile(r"\b(?:sec|app|eq|fig|tab|thm|prop|lem|cor):[a-z0-9:-]*[a-z0-9]")


@dataclass(frozen=True, order=True)
class Place:
    """A line of a file of the project."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def lines_of(path: Path) -> list[str]:
    """The lines of a text file; none where there is no such file."""
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def labels_in(text: str) -> list[str]:
    """The labels of the paper that a text names, each once."""
    return list(dict.fromkeys(_LABEL.findall(text)))


class Paper:
    """The paper's sources, of which the appendix is made by a build."""

    def __init__(self, root: Path, generated: Path) -> None:
        """`generated` is the folder that a build writes what the paper reads to, from `root`."""
        paper = root / "paper"
        self._files = [paper / "main.tex", *sorted((paper / "sections").glob("*.tex"))]
        self._appendix = root / generated / "appendix.tex"
        self._root = root

    @cached_property
    def _lines(self) -> list[tuple[Place, str]]:
        return [
            (Place(path.relative_to(self._root).as_posix(), number), _COMMENT.sub("", line))
            for path in [*self._files, self._appendix]
            for number, line in enumerate(lines_of(path), start=1)
        ]

    def places(self, pattern: str) -> list[Place]:
        """The lines in which something matches."""
        found = re.compile(pattern)
        return [place for place, line in self._lines if found.search(line)]

    def macro(self, name: str) -> list[Place]:
        """Where a macro is used."""
        return self.places(rf"\\{name}(?![A-Za-z])")

    def label(self, label: str) -> Place | None:
        r"""Where a label is given; `\experimentfigure` and `\input` give some."""
        kind, _, name = label.partition(":")
        ways = [rf"\\label\{{{re.escape(label)}\}}"]
        if kind == "fig":
            ways.append(_shown(name))
        elif kind == "tab":
            ways.append(_read(name.replace(":", "/")))
        return next(iter(self.places("|".join(ways))), None)

    def figure(self, name: str) -> list[Place]:
        """Where a figure is shown and where the text speaks of it."""
        return self.places(rf"{_shown(name)}|ref\{{fig:{re.escape(name)}\}}")

    def table(self, name: str, label: str) -> list[Place]:
        """Where a table is shown and where the text speaks of it."""
        return self.places(rf"{_read(name)}|ref\{{{re.escape(label)}\}}")

    def equation(self, label: str) -> str | None:
        """The formula that has a label, as LaTeX on one line."""
        text = "\n".join(line for _, line in self._lines)
        found = re.search(
            rf"\\begin\{{(\w+)\}}\s*\\label\{{{re.escape(label)}\}}(.*?)\\end\{{\1\}}", text, re.S
        )
        return " ".join(found[2].split()) if found else None

    def figures(self) -> Iterator[str]:
        """The names of all figures that are shown."""
        return self._names(r"\\(?:experimentfigure|includegraphics(?:\[[^\]]*\])?)\{([\w-]+)\}")

    def tables(self, with_appendix: bool = True) -> Iterator[str]:
        """The names of all tables that are shown: where they lie below tables/."""
        appendix = self._appendix.relative_to(self._root).as_posix()
        for place, line in self._lines:
            if with_appendix or place.file != appendix:
                yield from re.findall(r"\\input\{tables/([\w/-]+)\}", line)
                found = re.findall(r"\\experimenttable\{([\w-]+)\}\{([\w-]+)\}", line)
                yield from (f"{kind}/{name}" for kind, name in found)

    def labels(self, kinds: Iterable[str]) -> Iterator[str]:
        """The labels of some kinds, such as thm."""
        return self._names(rf"\\label\{{((?:{'|'.join(kinds)}):[a-z0-9:-]+)\}}")

    def _names(self, pattern: str) -> Iterator[str]:
        for _, line in self._lines:
            yield from re.findall(pattern, line)


def _shown(figure: str) -> str:
    name = re.escape(figure)
    return rf"\\experimentfigure\{{{name}\}}|\\includegraphics(?:\[[^\]]*\])?\{{{name}\}}"


def _read(table: str) -> str:
    kind, _, name = table.partition("/")
    shown = rf"|\\experimenttable\{{{re.escape(kind)}\}}\{{{re.escape(name)}\}}" if name else ""
    return rf"\\input\{{tables/{re.escape(table)}\}}{shown}"
