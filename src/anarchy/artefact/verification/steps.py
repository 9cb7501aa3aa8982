"""The checks of one build in their order, and all that they look at."""

import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from anarchy.artefact.numbers import Number, read_declarations, write_numbers
from anarchy.artefact.verification import printed
from anarchy.artefact.verification.checks import Check, check, skipped
from anarchy.artefact.verification.comparison import Comparison, GoldenRow, compare
from anarchy.artefact.verification.environment import check_environment, installed_packages
from anarchy.artefact.verification.golden import collect_golden
from anarchy.artefact.verification.movements import Places, made_by, movements
from anarchy.artefact.verification.products import Product, check_products, following
from anarchy.artefact.verification.record import check_record
from anarchy.common.errors import InputError
from anarchy.common.files import read_rows
from anarchy.common.paths import CONFIG, PAPER, Outputs

LOST = "restore_reference"
"""The rule that puts committed values in the place of what could not be computed."""

Step = tuple[str, Callable[[], list[Check]]]


@dataclass(frozen=True)
class Build:
    """A finished build and what it is held against; paths are relative to the project `root`."""

    root: Path
    outputs: Outputs
    products: list[Product]
    golden: Path
    missing: Mapping[str, str]  # experiment -> trace that is not at hand
    left_out: frozenset[str]  # experiments that the build goes without
    claimed: Mapping[str, frozenset[str]]  # claim -> results files that judge it
    coarse: bool
    pdf: bool
    since: float  # when the build began, in seconds of the epoch

    @cached_property
    def declarations(self) -> list[Path]:
        """The files that declare the macros."""
        return sorted((self.root / PAPER / "numbers.d").glob("*.yaml"))

    @cached_property
    def declared(self) -> list[Number]:
        """The macros."""
        return read_declarations(self.declarations)

    @property
    def results(self) -> Path:
        """The results folder."""
        return self.root / self.outputs.results

    @property
    def places(self) -> Places:
        """The folders in which products are told apart."""
        tables = self.outputs.generated / "tables"
        return Places(*(p.as_posix() for p in (self.outputs.results, self.outputs.figures, tables)))

    def collect(self) -> list[dict[str, Any]]:
        """What golden rows would be of this build."""
        return collect_golden(self.results, self.declared, self.root / CONFIG)

    @cached_property
    def comparison(self) -> Comparison:
        """The golden rows beside what this build has."""
        fault = f"{self.golden}: no golden values; --write-golden writes them"
        if not (self.root / self.golden).is_file():
            raise InputError(fault)
        now = self.collect()
        try:
            rows = read_rows(self.root / self.golden)
            compared = compare(rows, now, self.unchecked)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(fault) from None
        if not rows:
            raise InputError(fault)
        return compared

    @cached_property
    def lost(self) -> frozenset[str]:
        """The results files that hold committed values, because a trace was not at hand."""
        prefix = f"{self.places.results}/"
        return frozenset(p.path.removeprefix(prefix) for p in self.products if p.rule == LOST)

    @cached_property
    def _following_lost(self) -> set[str]:
        """Those, and the results files that follow from them."""
        prefix = f"{self.places.results}/"
        paths = {f"{prefix}{file}" for file in self.lost}
        return {path.removeprefix(prefix) for path in following(self.products, paths) | paths}

    def unchecked(self, row: GoldenRow) -> str:
        """Why a golden row cannot be held against this build; nothing if it can."""
        files = self.claimed.get(row["id"], ()) if row["of"] == "claim" else (row["file"],)
        for file in files:
            if made_by(file) in self.missing or file in self._following_lost:
                traces = sorted(set(self.missing.values()))
                verb = "is" if len(traces) == 1 else "are"
                return f"trace {' and '.join(traces)} {verb} not at hand"
        return ""

    @property
    def moved(self) -> dict[str, list[str]]:
        """What moved against the golden values, and what that feeds."""
        return movements(self.comparison, self.products, self.places, self.claimed)


def steps(build: Build) -> Iterator[Step]:
    """Name and work of each step."""
    yield "the environment", lambda: _environment(build)
    yield "the files of the build", lambda: _products(build)
    yield "the golden values", lambda: build.comparison.checks
    yield "the numbers of the text", lambda: _macros(build)
    yield "the text of the PDF", lambda: _pdf(build)
    yield (
        "the provenance",
        lambda: check_record(build.root / build.outputs.machine / "provenance.json", build.root),
    )


def _environment(build: Build) -> list[Check]:
    locks = [
        (build.root / f"requirements{kind}.lock").read_text(encoding="utf-8")
        for kind in ("", "-oracle", "-slurm", "-kubernetes")
    ]
    project = tomllib.loads((build.root / "pyproject.toml").read_text(encoding="utf-8"))
    version = ".".join(map(str, sys.version_info[:3]))
    supported = project["project"]["requires-python"]
    return check_environment(locks[0], locks[1:], installed_packages(), version, supported)


def _products(build: Build) -> list[Check]:
    groups = [("figures", build.places.figures), ("tables", build.places.tables)]
    return check_products(build.products, [*groups, ("files", ".")], build.root, build.since)


def _macros(build: Build) -> list[Check]:
    """Whether the macros of the paper are what the results say."""
    written = _read_macros(build)
    with TemporaryDirectory() as folder:
        anew = Path(folder) / "numbers.tex"
        committed = {file: build.results / file for file in build.lost}
        absent = {n.file for n in build.declared if made_by(n.file) in build.left_out}
        try:
            write_numbers(build.declarations, build.results, anew, committed, build.coarse, absent)
        except InputError as error:
            return [check("macros", "numbers.tex", str(error))]
        right = printed.read_macros(anew.read_text(encoding="utf-8"))
    return [
        check(
            "macros",
            name,
            "" if written.get(name) == right.get(name) else "numbers.tex is not what results say",
            written.get(name),
            right.get(name),
        )
        for name in sorted({*written, *right})
    ]


def _read_macros(build: Build) -> dict[str, str]:
    path = build.root / build.outputs.generated / "numbers.tex"
    return printed.read_macros(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _pdf(build: Build) -> list[Check]:
    path = build.outputs.pdf
    if not build.pdf:
        return [skipped(printed.GROUP, path.as_posix(), "LaTeX is not at hand")]
    macros = {number.macro for number in build.declared}
    defined = {name: text for name, text in _read_macros(build).items() if name in macros}
    sources = sorted((build.root / PAPER / "sections").glob("*.tex"))
    return printed.check_pdf(build.root / path, sources, defined)
