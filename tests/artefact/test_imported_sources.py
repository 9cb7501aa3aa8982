"""What a script rests on is found whole, or a change would rerun too little."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from anarchy.artefact.imported_sources import digest, imported_sources
from anarchy.common.paths import ROOT

SCRIPTS = ROOT / "workflow/scripts"


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_imports_are_followed_through_modules_packages_and_functions(tmp_path: Path) -> None:
    files = {
        "anarchy/__init__.py": "",
        "anarchy/a.py": "import os\nfrom anarchy.b import (  # (why)\n    c as d,\n    x,\n)\n",
        "anarchy/b/__init__.py": "import anarchy.e\n",
        "anarchy/b/c.py": "from anarchy.a import y\n",
        "anarchy/b/unused.py": "",
        "anarchy/e.py": "def late():\n    from anarchy.f import z\n",
        "anarchy/f.py": "",
        "script.py": "from anarchy import a\n",
    }
    write(tmp_path, files)
    found = imported_sources(tmp_path / "script.py", tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in found} == (
        set(files) - {"script.py", "anarchy/b/unused.py"}
    )


def test_what_is_remembered_is_of_the_folder_where_it_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, digests = [], set()
    for name, text in (("one", "import anarchy.a\n"), ("two", "")):
        write(tmp_path / name, {"script.py": text, "src/anarchy/a.py": text})
        monkeypatch.chdir(tmp_path / name)
        found.append(imported_sources(Path("script.py")))
        digests.add(digest([Path("script.py")]))
    assert found == [[Path("src/anarchy/a.py")], []]
    assert len(digests) == 2


@pytest.mark.parametrize("script", ["validate", "show_study"])
def test_all_that_python_imports_is_found(script: str) -> None:
    """The script's own imports, run: the modules that are then loaded are known beforehand."""
    path = SCRIPTS / f"{script}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    lines = [ast.unparse(n) for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    lines += [
        "import sys",
        "print(*(m.__file__ for n, m in sys.modules.items() if n[:7] == 'anarchy'))",
    ]
    loaded = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(loaded) > 10
    assert set(map(Path, loaded)) <= set(imported_sources(path, ROOT / "src"))


def test_nothing_is_named_that_a_script_does_not_rest_on() -> None:
    """A change of a figure reruns no simulation, one of the simulator no theorem."""
    simulation = imported_sources(SCRIPTS / "simulate_points.py", ROOT / "src")
    assert not any("artefact" in path.parts for path in simulation)
    theory = imported_sources(SCRIPTS / "solve_curves.py", ROOT / "src")
    assert not any("serving" in path.parts for path in theory)


def test_a_digest_tells_names_order_and_contents_apart(tmp_path: Path) -> None:
    write(tmp_path, {"a/x.py": "1", "b/x.py": "1", "c/x.py": "2"})
    paths = {name: tmp_path / name / "x.py" for name in "abc"}
    orders = ["a", "b", "c", "ab", "ba", "abc"]
    found = {order: digest(paths[name] for name in order) for order in orders}
    assert len(set(found.values())) == len(orders)
    assert digest([paths["a"]]) == found["a"]
