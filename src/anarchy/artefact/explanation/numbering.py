"""What the PDF calls a figure, a table or a theorem: number and page, from LaTeX's notes."""

import re
from functools import cached_property
from pathlib import Path

from anarchy.artefact.explanation.places import lines_of

WORDS = {
    "fig": "Figure",
    "tab": "Table",
    "thm": "Theorem",
    "prop": "Proposition",
    "lem": "Lemma",
    "cor": "Corollary",
}
"""What the paper calls the things whose labels begin so."""

_NOTED = re.compile(r"\\newlabel\{((\w+):[^}]+)\}\{\{([\w.]+)\}\{(\d+)\}")


class Numbering:
    """The numbers of one PDF; empty before it is built."""

    def __init__(self, aux: Path) -> None:
        """`aux` is the file in which LaTeX notes its labels."""
        self._aux = aux

    @cached_property
    def _noted(self) -> dict[str, tuple[str, str]]:
        """For each label what it is called and its page."""
        found = {}
        for line in lines_of(self._aux):
            if (noted := _NOTED.match(line)) and noted[2] in WORDS:
                found[noted[1]] = (f"{WORDS[noted[2]]} {noted[3]}", noted[4])
        return found

    def number(self, label: str) -> str | None:
        """As in "Figure 3, page 12"; None for a label that the PDF has not."""
        if label not in self._noted:
            return None
        called, page = self._noted[label]
        return f"{called}, page {page}"

    def label(self, called: str) -> str | None:
        """The label of what a reader calls "Figure 3", however the letters are."""
        wanted = " ".join(called.lower().split())
        known = {name.lower(): label for label, (name, _) in self._noted.items()}
        return known.get(wanted)
