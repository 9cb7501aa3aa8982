"""The page of all figures, tables and claims: what each is made by, and in how long."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from anarchy.artefact.explanation import declarations
from anarchy.artefact.explanation.build import Build

PAGE = Path("docs") / "artefacts.md"

HEAD = """\
# Every figure, table and claim

Written by `anarchy explain --page`, not by hand. Each command builds its file and what that needs,
and no more; after a build it has nothing to do, and `--force` computes the last step anew. Seconds
are the processor time of all jobs behind it in the last full build. `anarchy explain NAME` says the
rest: rule, function, inputs and their hashes. Experiments have more tables, on their pages of the
appendix: `anarchy explain` with the name of one lists them.
"""

_LINE = re.compile(r"^\| `([^`]+)` .*\| (\S+) \|$", re.M)

Line = tuple[str, str, list[str]]
"""What something is called, its file, and the files that its seconds are spent on."""


def page(build: Build, before: str = "") -> str:
    """The page in Markdown; where the build does not know the seconds, those of the page before."""
    seconds = dict(_LINE.findall(before))
    parts = {"Figure": _figures(build), "Table": _tables(build), "Claim": _claims(build)}
    text = HEAD
    for what, lines in parts.items():
        text += f"\n| {what} | Command | File | Seconds |\n| --- | --- | --- | --- |\n"
        for name, file, files in lines:
            took = _seconds(build, files) or seconds.get(name, "–")
            text += f"| `{name}` | `{build.command(file)}` | `{file}` | {took} |\n"
    return text


def _figures(build: Build) -> Iterator[Line]:
    """Those of experiments and studies, which the appendix shows, and those of the text."""
    declared = {**declarations.experiments(build.root), **declarations.studies(build.root)}
    for name in sorted({*declared, *build.paper.figures()}):
        file = f"{build.out.figures.as_posix()}/{name}.pdf"
        yield f"fig:{name}", file, [file]


def _tables(build: Build) -> Iterator[Line]:
    """Those of the text."""
    for name in sorted(set(build.paper.tables(with_appendix=False))):
        file = f"{build.out.generated.as_posix()}/tables/{name}.tex"
        yield f"tab:{name.replace('/', ':')}", file, [file]


def _claims(build: Build) -> Iterator[Line]:
    for name, place in declarations.claims(build.root).items():
        files = declarations.claimed_files(declarations.read_claim(build.root, place))
        yield name, build.results("claims.json"), [build.results(file) for file in files]


def _seconds(build: Build, files: Sequence[str]) -> str | None:
    jobs = build.jobs.upstream(files) if build.jobs else ()
    known = [seconds for job in jobs if (seconds := build.seconds(job)) is not None]
    if not known:
        return None
    return f"{sum(known):.0f}" if sum(known) >= 10 else f"{sum(known):.1f}"
