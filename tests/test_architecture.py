"""The house rules that imports and sizes show: layers, no circles, small folders and modules."""

import ast
from collections import defaultdict
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from anarchy.common import paths

PACKAGE = paths.ROOT / "src" / "anarchy"
LAYERS = {
    "common": set(),
    "config": {"common"},
    "workload": {"common", "config"},
    "games": {"common", "config"},
    "control": {"common", "config"},
    "serving": {"common", "config", "workload", "control"},
    "live": {"common", "config", "workload", "control", "serving"},
    "measure": {"common", "config", "workload", "games", "control", "serving"},
    "artefact": {"common", "config", "workload", "games", "control", "serving", "measure"},
}
"""What each layer may import: data flow one way. `build_plan` and `cli` may import all of them."""

TOP = {"build_plan", "build_jobs", "build_forks", "cli", "__main__"}

MOST_MODULES, MOST_LINES, MOST_NAMES = 12, 400, 25
"""Modules of a folder, lines of a module, names that it imports from one other."""


def modules() -> dict[str, Path]:
    """Every module of the package by its name; a package is its `__init__`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


@cache
def imports(module: str) -> dict[str, list[str]]:
    """The modules of the package that one imports, anywhere in it, with the names from each."""
    found: dict[str, list[str]] = defaultdict(list)
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in MODULES:
                    found[inner].append(alias.name)
                elif node.module in MODULES:
                    found[node.module].append(alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name in MODULES:
                    found[alias.name].append(alias.name)
    return dict(found)


def layer(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def folder(module: str) -> str:
    path = MODULES[module].parent.relative_to(PACKAGE)
    return path.as_posix()


def test_every_module_belongs_to_a_known_layer() -> None:
    unknown = {layer(module) for module in MODULES} - LAYERS.keys() - TOP - {""}
    assert not unknown, f"no layer is called {sorted(unknown)}"


@pytest.mark.parametrize("name", LAYERS)
def test_imports_follow_the_flow_of_data(name: str) -> None:
    for module in MODULES:
        if layer(module) == name:
            used = {layer(other) for other in imports(module)} - {name, ""}
            assert used <= LAYERS[name], f"{module} imports {sorted(used - LAYERS[name])}"


def test_the_compiled_simulator_knows_nothing_of_the_reference() -> None:
    """Or their equality would compare a thing with itself."""
    for module in MODULES:
        if module.startswith("anarchy.serving.compiled"):
            for other in imports(module):
                assert not other.startswith("anarchy.serving.reference"), f"{module}: {other}"


def assert_no_circle(graph: dict[str, set[str]]) -> None:
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_no_circle_of_modules() -> None:
    graph = {module: set(imports(module)) for module in MODULES}
    for module, path in MODULES.items():
        if path.name == "__init__.py":  # it may list what lies in its own folder
            graph[module] = {other for other in graph[module] if not other.startswith(module)}
    assert_no_circle(graph)


def test_no_circle_of_folders() -> None:
    graph: dict[str, set[str]] = defaultdict(set)
    for module in MODULES:
        for other in imports(module):
            here, there = folder(module), folder(other)
            if here != there and not module.endswith("__main__"):
                graph[here].add(there)
    assert_no_circle(graph)


def test_folders_are_small() -> None:
    for place in {path.parent for path in MODULES.values()}:
        files = [path for path in place.glob("*.py") if not path.name.startswith("__")]
        assert len(files) <= MOST_MODULES, f"{place.relative_to(PACKAGE)}: {len(files)} modules"


def test_modules_are_short() -> None:
    for path in MODULES.values():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= MOST_LINES, f"{path.relative_to(PACKAGE)}: {lines} lines"


def test_modules_import_few_names_of_each_other() -> None:
    for module in MODULES:
        for other, names in imports(module).items():
            assert len(names) <= MOST_NAMES, f"{module}: {len(names)} names of {other}"


def test_nothing_below_the_artefact_layer_knows_latex() -> None:
    for module, path in MODULES.items():
        if layer(module) in LAYERS and layer(module) != "artefact":
            assert "latex" not in path.read_text(encoding="utf-8").lower(), module


def test_tests_mirror_the_package() -> None:
    """Every folder of tests is one of the package, but for those of what lies outside it."""
    tests = paths.ROOT / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("test_*.py")}
    outside = {Path("oracle"), Path("scripts"), Path("workflow")}
    assert outside < folders
    assert [str(f) for f in sorted(folders - outside) if not (PACKAGE / f).is_dir()] == []
