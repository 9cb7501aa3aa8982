"""What a build makes, from what and whether it is up to date, as Snakemake tells it."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from anarchy.artefact.verification.checks import Check, check
from anarchy.common.errors import InputError

MAGIC = {".pdf": b"%PDF-", ".png": b"\x89PNG"}
"""How files of a kind begin."""


@dataclass(frozen=True)
class Product:
    """One file or folder that a rule makes; paths are relative to the project."""

    path: str
    rule: str
    inputs: frozenset[str]
    current: bool  # nothing that it follows from has changed since


def list_products(settings: Sequence[str], target: str, root: Path) -> list[Product]:
    """All products of a target; `settings` are Snakemake's `key=value`.

    Raises InputError with Snakemake's last line when the build's rules cannot be read.
    """
    command = [sys.executable, "-m", "snakemake", "--profile", "workflow/profiles/default"]
    command += ["--workflow-profile", "none", "--nolock", "--detailed-summary", target]
    command += ["--config", *settings] if settings else []
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [*filter(str.strip, done.stderr.splitlines()), "Snakemake failed"]
        raise InputError(f"Snakefile: {said[-1] if len(said) == 1 else said[-2]}")
    return read_summary(done.stdout)


def read_summary(text: str) -> list[Product]:
    """The products in Snakemake's `--detailed-summary`, by path."""
    products = []
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) < 8 or fields[0] == "output_file":
            continue
        inputs = frozenset(fields[4].split(",")) - {"-"}
        current = fields[-2] == "ok" and fields[-1] == "no update"
        products.append(Product(fields[0], fields[2], inputs, current))
    return sorted(products, key=lambda product: product.path)


def following(products: Iterable[Product], files: Iterable[str]) -> set[str]:
    """The products that follow from some files, by however many steps."""
    users: dict[str, list[str]] = defaultdict(list)
    for product in products:
        for path in product.inputs:
            users[path].append(product.path)
    found: set[str] = set()
    ahead = set(files)
    while ahead:
        ahead = {user for path in ahead for user in users[path]} - found
        found |= ahead
    return found


def check_products(
    products: Sequence[Product], groups: Iterable[tuple[str, str]], root: Path, since: float
) -> list[Check]:
    """Every product is there, not empty, what its name says, and made since a time.

    `groups` are (name, folder) pairs, the first whose folder holds a product names its check;
    `since` is in seconds of the epoch.
    """
    named = [*groups]
    checks = []
    for product in products:
        group = next(name for name, folder in named if _within(product.path, folder))
        checks.append(check(group, product.path, _fault(product, root, since)))
    return checks


def _fault(product: Product, root: Path, since: float) -> str:
    path = root / product.path
    if not path.exists():
        return "is not there"
    if path.is_dir():
        return "" if any(path.iterdir()) else "is empty"
    with path.open("rb") as file:
        start = file.read(8)
    if not start and not _has_no_rows(product, root):
        return "is empty"
    if not start.startswith(MAGIC.get(path.suffix, b"")):
        return f"is no {path.suffix[1:].upper()}"
    if path.stat().st_mtime < since:
        return "is older than this build"
    return "" if product.current else "is out of date: something that it follows from has changed"


def _has_no_rows(product: Product, root: Path) -> bool:
    """Whether a table is one that its experiment does not ask for: KIND/NAME.tex of no rows."""
    path = Path(product.path)
    rows = [p for p in product.inputs if Path(p).name == f"{path.stem}.{path.parent.name}.json"]
    return any((root / p).is_file() and (root / p).read_text().split() == ["[]"] for p in rows)


def _within(path: str, folder: str) -> bool:
    return folder == "." or path.startswith(f"{folder}/")
