"""Everything in a build that has a name and can be explained."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from anarchy.artefact.explanation import declarations
from anarchy.artefact.explanation.build import Build
from anarchy.artefact.explanation.places import lines_of
from anarchy.common.errors import MOST_SHOWN, InputError, shown
from anarchy.common.paths import CLAIMS, PAPER

THEOREMS = ("thm", "prop", "lem", "cor")
"""What labels of statements that have a proof begin with."""

_FILE = re.compile(r"\bfile: *\"?([\w./-]+\.json)")


@dataclass(frozen=True)
class Named:
    """A name with what it is a name of."""

    kind: str
    name: str


def catalogue(build: Build) -> dict[str, list[str]]:
    """The names of each kind of things, but for the rows of results, which are many."""
    return {
        "macro": list(build.macros),
        "claim": list(declarations.claims(build.root)),
        "experiment": list(declarations.experiments(build.root)),
        "study": list(declarations.studies(build.root)),
        "figure": _figures(build),
        "table": _tables(build),
        "theorem": list(dict.fromkeys(build.paper.labels(THEOREMS))),
        "results file": _results(build),
    }


def find_name(build: Build, given: str) -> Named:
    """What a name means; an unknown one is refused with those that are like it.

    A macro may have its backslash; a figure or a table may be called by its label, its file or its
    number in the PDF; a results file by its path with or without the results folder. What is called
    like an experiment is the experiment, and its figure goes by its label. Anything else is the id
    of a row.
    """
    known = catalogue(build)
    name = build.numbering.label(given) or given.strip()
    for kind, spelling in _spellings(build, name):
        if spelling in known[kind]:
            return Named(kind, spelling)
    file, colon, _ = name.rpartition(".json:")
    if colon and f"{file}.json" in known["results file"]:
        return Named("row", name)
    if name and build.files_with(name):
        return Named("row", name)
    raise InputError(f"there is no {shown(given)}; {_suggested(name, known)}")


def _spellings(build: Build, name: str) -> list[tuple[str, str]]:
    """What a name may be, the likeliest first."""
    label, _, rest = name.partition(":")
    spellings = [("macro", name.removeprefix("\\"))]
    if label == "fig":
        spellings.append(("figure", rest))
    if label == "tab":
        spellings.append(("table", rest.replace(":", "/")))
    figure = re.fullmatch(rf"{re.escape(build.out.figures.as_posix())}/([\w-]+)\.(?:pdf|png)", name)
    if figure:
        spellings.append(("figure", figure[1]))
    tables = f"{build.out.generated.as_posix()}/"
    table = re.fullmatch(r"tables/([\w/-]+?)(?:\.tex)?", name.removeprefix(tables))
    if table:
        spellings.append(("table", table[1]))
    spellings.append(("results file", name.removeprefix(f"{build.out.results.as_posix()}/")))
    plain = ("claim", "experiment", "study", "figure", "table", "theorem")
    return spellings + [(kind, name) for kind in plain]


def _suggested(name: str, known: Mapping[str, list[str]]) -> str:
    """The names that are most like one, whatever they are names of."""
    lower = {each.lower(): each for names in known.values() for each in names}
    wanted = name.removeprefix("\\").lower()[:MOST_SHOWN]
    close = [lower[found] for found in get_close_matches(wanted, lower, n=3, cutoff=0.6)]
    hint = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{hint}`anarchy explain` without a name says what there is"


def _figures(build: Build) -> list[str]:
    if build.jobs is None:
        declared = {**declarations.experiments(build.root), **declarations.studies(build.root)}
        return sorted({*declared, *build.paper.figures()})
    folder = f"{build.out.figures.as_posix()}/"
    found = (p for p in build.jobs.outputs() if p.startswith(folder) and p.endswith(".pdf"))
    return sorted(path.removeprefix(folder).removesuffix(".pdf") for path in found)


def _tables(build: Build) -> list[str]:
    if build.jobs is None:
        return sorted(set(build.paper.tables()))
    folder = f"{build.out.generated.as_posix()}/tables/"
    found = (path for path in build.jobs.outputs() if path.startswith(folder))
    return sorted(path.removeprefix(folder).removesuffix(".tex") for path in found)


def _results(build: Build) -> list[str]:
    if build.jobs is None:
        files = [*sorted((build.root / PAPER / "numbers.d").glob("*.yaml")), build.root / CLAIMS]
        return sorted({name for path in files for x in lines_of(path) for name in _FILE.findall(x)})
    folder, machine = (f"{p.as_posix()}/" for p in (build.out.results, build.out.machine))
    return sorted(
        path.removeprefix(folder)
        for path in build.jobs.outputs()
        if path.startswith(folder) and path.endswith(".json") and not path.startswith(machine)
    )
