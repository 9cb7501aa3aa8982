"""What a change moved, and what that feeds: experiments, numbers, tables, figures, claims."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from anarchy.artefact.verification.comparison import Comparison, GoldenRow, difference
from anarchy.artefact.verification.products import Product, following


@dataclass(frozen=True)
class Places:
    """The folders of a build, relative to the project, as text."""

    results: str
    figures: str
    tables: str


def movements(
    comparison: Comparison,
    products: Sequence[Product],
    places: Places,
    claimed: Mapping[str, frozenset[str]],
) -> dict[str, list[str]]:
    """What moved by kind, each list sorted, as one says it; kinds without any are left out.

    `claimed` has the results files that each claim is judged by. Tables and figures are those that
    follow from a results file that moved; claims also those that are judged by one.
    """
    moved = {row["file"] for pair in comparison.moved for row in pair if row}
    files = {f"{places.results}/{file}" for file in moved}
    fed = following(products, files) | files
    verdicts = {row["id"] for row in map(_known, comparison.moved) if row["of"] == "claim"}
    rested = {
        claim
        for claim, read in claimed.items()
        if any(f"{places.results}/{f}" in fed for f in read)
    }
    found = {
        "inputs": comparison.inputs,
        "experiments": {name for file in moved if (name := made_by(file))},
        "numbers": _differences(comparison, "number"),
        "verdicts": _differences(comparison, "claim"),
        "results": _differences(comparison, "rows"),
        "tables": _inside(fed, places.tables),
        "figures": _inside(fed, places.figures),
        "claims judged by them": rested - verdicts,
    }
    return {kind: sorted(names) for kind, names in found.items() if names}


def made_by(file: str) -> str:
    """The experiment or study that a results file is of; nothing for others."""
    path = PurePosixPath(file)
    return path.name.partition(".")[0] if path.parent.name in {"experiments", "studies"} else ""


def _differences(comparison: Comparison, of: str) -> list[str]:
    return [
        f"{_called(row)} {difference(*pair)}"
        for pair in comparison.moved
        if (row := _known(pair))["of"] == of
    ]


def _known(pair: tuple[GoldenRow, GoldenRow]) -> GoldenRow:
    """The golden row, or the new one where there was none."""
    return pair[0] or pair[1]


def _called(row: GoldenRow) -> str:
    return f"{row['file']} {row['id']}:" if row["of"] == "rows" else f"{row['id']}"


def _inside(paths: set[str], folder: str) -> set[str]:
    """The names of the files in a folder: a figure's PDF and PNG are one."""
    return {
        PurePosixPath(path).relative_to(folder).with_suffix("").as_posix()
        for path in paths
        if path.startswith(f"{folder}/")
    }
