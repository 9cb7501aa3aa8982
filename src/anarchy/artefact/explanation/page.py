"""The page of all figures, tables and claims: what each is made by, and in how long."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from anarchy.artefact.explanation import declarations
from anarchy.artefact.explanation.build import Build
from anarchy.artefact.explanation.names import catalogue
from anarchy.common.errors import InputError

PAGE = Path("docs") / "artefacts.md"

HEAD = """\
# Every figure, table and claim

Written by `anarchy explain --page` from the last full build; not edited by hand. Each command
builds its file and what that needs, and no more; after a build it has nothing to do, and `--force`
computes the last step anew. Seconds are those of all jobs behind it, one after another.
`anarchy explain NAME` says the rest: rule, function, inputs and their hashes.
"""

Line = tuple[str, str, float | None]
"""What something is called, its file, the seconds of all jobs behind it."""


def page(build: Build) -> str:
    """The page in Markdown, from the index of a build; of any, for the names of all are equal."""
    if build.jobs is None:
        raise InputError(f"the page is written from a finished build; {build.whole} makes one")
    parts = (("Figure", _figures), ("Table", _tables), ("Claim", _claims))
    return HEAD + "".join(f"\n{_table(what, list(lines(build)))}" for what, lines in parts)


def _figures(build: Build) -> Iterator[Line]:
    for name in catalogue(build)["figure"]:
        yield _line(build, f"fig:{name}", f"{build.out.figures.as_posix()}/{name}.pdf")


def _tables(build: Build) -> Iterator[Line]:
    """Those that the paper shows: of an experiment others are made, and stay empty."""
    for name in sorted(set(build.paper.tables())):
        label = f"tab:{name.replace('/', ':')}"
        yield _line(build, label, f"{build.out.generated.as_posix()}/tables/{name}.tex")


def _claims(build: Build) -> Iterator[Line]:
    verdicts = build.results("claims.json")
    for name, place in declarations.claims(build.root).items():
        files = declarations.claimed_files(declarations.read_claim(build.root, place))
        yield name, verdicts, _seconds(build, [build.results(file) for file in files])


def _line(build: Build, name: str, file: str) -> Line:
    return name, file, _seconds(build, [file])


def _seconds(build: Build, files: Sequence[str]) -> float | None:
    assert build.jobs is not None
    times = [build.seconds(job) for job in build.jobs.upstream(files)]
    known = [seconds for seconds in times if seconds is not None]
    return sum(known) if known else None


def _table(what: str, lines: Sequence[Line]) -> str:
    rows = [f"| {what} | Command | File | Seconds |", "| --- | --- | --- | --- |"]
    for name, file, seconds in lines:
        time = "–" if seconds is None else f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"
        rows.append(f"| `{name}` | `.venv/bin/snakemake {file}` | `{file}` | {time} |")
    return "\n".join(rows) + "\n"
