"""What the pages name exists, and what the tutorial shows runs: both are taken from the pages."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from anarchy.cli.main import main
from anarchy.common import paths
from anarchy.games import game_file
from tests.test_architecture import MODULES, imports

PAGES = [
    paths.ROOT / "README.md",
    *sorted((paths.ROOT / "docs").glob("*.md")),
    *sorted((paths.ROOT / "paper").glob("*.tex")),
    *sorted((paths.ROOT / "paper/sections").glob("*.tex")),
]

FILE = re.compile(
    r"(?<![\w./-])(?:src|tests|config|workflow|scripts|benchmarks|docs|paper|figures)/[\w./*-]*[\w*]"
)
MODULE = re.compile(r"\banarchy(?:\.[A-Za-z_]\w*)+")
IMPORT = re.compile(r"^from (anarchy[\w.]*) import (.+)$", re.MULTILINE)
RULES = re.compile(r"(?<![\w/])\w+\.smk\b")
FOLDER = re.compile(r"(?<=`)[a-z]\w*(?:/\w+)*/(?=`)")
SHORT = re.compile(r"(?<=`)[\w/]+\.py(?=`)")

MADE = {
    "config/experiments/long-outputs.yaml",
    "paper/main.pdf",
}
"""Files that a page tells how to make."""

BUILT = ("build/", "data/", "results/")
"""Folders that are made, not committed."""

PRODUCT = re.compile(r"figures/[\w-]+\.pdf|paper/generated/[\w/-]+\.tex")
"""Files that a build makes; an end-to-end test holds those of docs/artefacts.md to it."""

PACKAGE = paths.ROOT / "src" / "anarchy"

PAGE = paths.ROOT / "docs" / "games.md"

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# The command without an installed script, for any shell command of the page.
SHELL = 'anarchy() { "$PYTHON" -m anarchy "$@"; }; set -o pipefail; '


def text_of(page: Path) -> str:
    """A page's text; LaTeX writes an underscore with a backslash."""
    return page.read_text(encoding="utf-8").replace(r"\_", "_")


def named(pattern: re.Pattern[str], page: Path) -> set[str]:
    return {match.group() for match in pattern.finditer(text_of(page))}


def exists(name: str) -> bool:
    """Whether `a.b.c` is a module or what one defines, however deep."""
    module, _, inner = name.partition(".")
    thing = importlib.import_module(module)
    for part in inner.split("."):
        module = f"{module}.{part}"
        if hasattr(thing, "__path__") and importlib.util.find_spec(module):
            thing = importlib.import_module(module)
        elif hasattr(thing, part):
            thing = getattr(thing, part)
        else:
            return False
    return True


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    """A path begins with the project, a module's may begin with the package."""
    missing = [
        name
        for name in named(FILE, page) - MADE
        if not PRODUCT.fullmatch(name)
        and not list(paths.ROOT.glob(name))
        and not (PACKAGE / name).is_file()
    ]
    missing += [
        name for name in named(RULES, page) if not (paths.ROOT / "workflow/rules" / name).is_file()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_folders_that_a_page_names_exist(page: Path) -> None:
    found = {name for name in named(FOLDER, page) if not name.startswith(BUILT)}
    parents = (paths.ROOT, PACKAGE, PACKAGE / "serving" / "reference")
    missing = [name for name in found if not any((parent / name).is_dir() for parent in parents)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_a_page_names_in_short_exist(page: Path) -> None:
    """`router/policy.py` may be the end of a path."""
    files = [f"/{path.relative_to(paths.ROOT)}" for path in paths.ROOT.glob("[!.]*/**/*.py")]
    ends = tuple(f"/{name}" for name in named(SHORT, page))
    assert {end for end in ends if not any(file.endswith(end) for file in files)} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_and_what_they_define_exist_where_a_page_says(page: Path) -> None:
    names = named(MODULE, page)
    for module, imported in IMPORT.findall(text_of(page)):
        names |= {f"{module}.{name.strip()}" for name in imported.split(",")}
    assert [name for name in sorted(names) if not exists(name)] == []


def test_the_pages_name_files_and_modules() -> None:
    """Or the patterns find nothing and the tests above say nothing."""
    assert len(set().union(*(named(FILE, page) for page in PAGES))) > 30
    assert len(set().union(*(named(MODULE, page) for page in PAGES))) > 15
    assert not exists("anarchy.games.nothing")
    assert exists("anarchy.games.game_file.FAMILIES")


Arrows = set[tuple[str, str]]


def picture() -> Arrows:
    """The arrows of the page on the architecture, `a & b --> c` taken apart."""
    page = (paths.ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    (drawn,) = re.findall(r"^```mermaid\nflowchart \w+\n(.*?)^```$", page, re.M | re.S)
    lines = re.sub(r'\["[^"]*"\]', "", drawn).splitlines()
    return {
        (origin.strip(), user.strip())
        for origins, users in (line.split("-->") for line in lines)
        for origin in origins.split("&")
        for user in users.split("&")
    }


def part_of(module: str) -> str:
    """What a module belongs to in the picture: its layer, in serving the folder below."""
    layer, inner = [*module.split("."), "", ""][1:3]
    if layer != "serving":
        return layer
    return inner if inner and (PACKAGE / layer / inner).is_dir() else "simulate"


def uses() -> Arrows:
    """From each part of the package to those that import it; the rules and jobs of a build too."""
    found = {(part_of(other), part_of(module)) for module in MODULES for other in imports(module)}
    for file in (paths.ROOT / "workflow").rglob("*.[ps][ym]*"):
        for module, _ in IMPORT.findall(file.read_text(encoding="utf-8")):
            found.add((part_of(module), "workflow"))
    return {(a, b) for a, b in found if a != b and "" not in (a, b) and b != "__main__"}


def reaches(arrows: Arrows, start: str) -> set[str]:
    found: set[str] = set()
    ahead = {start}
    while ahead:
        ahead = {b for a, b in arrows if a in ahead} - found
        found |= ahead
    return found


def test_every_arrow_of_the_picture_is_an_import() -> None:
    assert picture() - uses() == set()


def test_every_import_follows_the_arrows_of_the_picture() -> None:
    arrows = picture()
    assert {(a, b) for a, b in uses() if b not in reaches(arrows, a)} == set()


def test_no_arrow_of_the_picture_says_what_others_say() -> None:
    arrows = picture()
    assert {(a, b) for a, b in arrows if b in reaches(arrows - {(a, b)}, a)} == set()


@dataclass(frozen=True)
class Example:
    """A command or snippet of the page and what it is said to print."""

    program: str
    said: str


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return [body for name, body in BLOCK.findall(text) if name == language]


def commands() -> list[Example]:
    """Every `$ command` of the page with the lines that follow it."""
    parts = [part for block in blocks("console") for part in re.split(r"^\$ ", block, flags=re.M)]
    pairs = [part.partition("\n") for part in parts if part]
    return [Example(command, output) for command, _, output in pairs]


def snippets() -> list[Example]:
    return [Example(*pair) for pair in zip(blocks("python"), blocks("text"), strict=True)]


def tidy(text: str) -> list[str]:
    """Lines without the spaces that pad a table to the right."""
    return [line.rstrip() for line in text.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The game files of the page, each under the name in its first line."""
    where = tmp_path_factory.mktemp("games")
    for block in blocks("yaml"):
        (where / block.splitlines()[0].removeprefix("# ")).write_text(block, encoding="utf-8")
    return where


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    source = str(paths.ROOT / "src")
    environment = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": source, "COLUMNS": "80"}
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def is_plain(example: Example) -> bool:
    """Whether it is one call of the command, which needs no shell and no process of its own."""
    return re.fullmatch(r"anarchy [\w. -]+", example.program) is not None


PLAIN = [example for example in commands() if is_plain(example)]
OTHERS = [example for example in commands() if not is_plain(example)]


@pytest.mark.parametrize("example", PLAIN, ids=lambda example: example.program)
def test_plain_command_prints_what_the_page_says(
    example: Example,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "80")
    code = main(example.program.split()[1:])
    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    assert tidy(printed.out) == tidy(example.said)


@pytest.mark.parametrize("example", OTHERS, ids=lambda example: example.program)
def test_command_prints_what_the_page_says(example: Example, folder: Path) -> None:
    done = run(["bash", "-c", SHELL + example.program], folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert tidy(done.stdout) == tidy(example.said)


@pytest.mark.parametrize("example", snippets(), ids=["library"])
def test_snippet_prints_what_the_page_says(example: Example, folder: Path) -> None:
    done = run([sys.executable, "-c", example.program], folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert tidy(done.stdout) == tidy(example.said)


def test_every_game_file_of_the_page_is_used_by_a_command(folder: Path) -> None:
    used = " ".join(example.program for example in commands())
    assert [file.name for file in folder.iterdir() if file.name not in used] == []
    assert min(len(PLAIN), len(OTHERS)) >= 4


def test_the_page_lists_every_kind_with_its_keys() -> None:
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \|", PAGE.read_text(encoding="utf-8"), re.M)
    listed = {kind: set(re.findall(r"`(\w+)`", keys)) for kind, keys in rows}
    families = game_file.FAMILIES.values()
    models = {kind: [model] for kind, model in game_file.KINDS.items()} | {"bound": [*families]}
    assert listed == {
        kind: {key for model in of_kind for key in model.model_fields} - {"kind"}
        for kind, of_kind in models.items()
    }


def test_the_page_lists_every_family_latency_and_topology() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = [*game_file.FAMILIES, *game_file.TopologyFile.model_fields]
    assert [name for name in names if f"`{name}`" not in text] == []
    assert [name for name in game_file.LatencyFile.model_fields if f"`{{{name}: " not in text] == []
