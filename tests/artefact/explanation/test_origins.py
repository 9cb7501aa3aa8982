"""Where an id is written is found, however it is put together."""

from pathlib import Path

import pytest

from anarchy.artefact.explanation.origins import find_origin

SOURCE = '''\
from anarchy import c

PREFIX = "index:"


def rows(names):
    """Rows of names."""
    if names["id"] == "tail":
        return []
    found = [{"id": "tail", "value": 1}]
    found += [{"id": f"tail-{name}"} for name in names]
    found += [check(f"gain-{name}-of-{name!r:>3}", 2) for name in names]
    found += [{"id": f"{a}-{b}".replace(" ", "-")} for a, b in names]
    for kind in ("low", "high"):
        found.append({"id": kind})
    table[f"{kind}-most"] = table["low-least"]
    return found


def prefixed(name):
    return Measure(PREFIX + name, 1)


def member(parts):
    return "/".join(parts)


TABLE = [measure("top", rows, c.most)]
'''


@pytest.mark.parametrize(
    ("row_id", "line", "functions"),
    [
        ("tail", 10, ["a.rows"]),
        ("tail-a", 11, ["a.rows"]),
        ("gain-a-of-b", 12, ["a.rows"]),
        ("any-thing", 13, ["a.rows"]),
        ("low", 14, ["a.rows"]),
        ("low-most", 16, ["a.rows"]),
        ("index:balanced", 21, ["a.prefixed"]),
        ("one/of/all", 25, ["a.member"]),
        ("top", 28, ["a.rows", "c.most"]),
    ],
)
def test_the_best_place_is_found(
    tmp_path: Path, row_id: str, line: int, functions: list[str]
) -> None:
    module = tmp_path / "src/anarchy/a.py"
    module.parent.mkdir(parents=True)
    module.write_text(SOURCE)
    (module.parent / "c.py").write_text("def most():\n    pass\n")
    origin = find_origin(row_id, [], [module], tmp_path)
    assert origin is not None
    assert (origin.place.file, origin.place.line) == ("src/anarchy/a.py", line)
    assert origin.text == SOURCE.splitlines()[line - 1].strip()
    assert [f.name.removeprefix("anarchy.") for f in origin.functions] == functions


def test_the_nearest_of_equal_places_is_taken(tmp_path: Path) -> None:
    paths = []
    for name in ("b", "a"):
        paths.append(tmp_path / "src" / f"{name}.py")
        paths[-1].parent.mkdir(exist_ok=True)
        paths[-1].write_text('ROWS = [{"id": "tail"}]\n')
    origin = find_origin("tail", [], paths, tmp_path)
    assert origin is not None
    assert origin.place.file == "src/b.py"


def test_an_id_of_nowhere_has_no_place(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src/a.py").write_text(SOURCE)
    assert find_origin("elsewhere", [], [tmp_path / "src/a.py"], tmp_path) is None


def test_what_stands_beside_tells_equal_places_apart(tmp_path: Path) -> None:
    module = tmp_path / "src/a.py"
    module.parent.mkdir()
    module.write_text('ONE = cost("tail", "s")\nTWO = measure("tail", "Tail", "s")\n')
    for beside, line in ((["Tail", "s"], 2), (["s"], 1), ([], 1)):
        origin = find_origin("tail", beside, [module], tmp_path)
        assert origin is not None
        assert origin.place.line == line


def test_a_script_may_write_an_id_itself(tmp_path: Path) -> None:
    script = tmp_path / "workflow/scripts/judge.py"
    script.parent.mkdir(parents=True)
    script.write_text('rows = [{"id": f"made-with-{key}"} for key in keys]\n')
    origin = find_origin("made-with-date", [], [script], tmp_path)
    assert origin is not None
    assert str(origin.place) == "workflow/scripts/judge.py:1"
    assert origin.functions == []


def test_a_part_that_a_function_is_given_has_its_place(tmp_path: Path) -> None:
    module = tmp_path / "src/a.py"
    module.parent.mkdir()
    module.write_text(
        '''def judge(n):
    """All of it."""
    return [total("hosts", n), total("host", n), total(f"tail-{n}", n)]


def total(name, value):
    return {"id": f"summary-{name}", "value": value}
'''
    )
    for row_id, text in (("summary-host", '"host"'), ("summary-tail-9", 'f"tail-{n}"')):
        origin = find_origin(row_id, [], [module], tmp_path)
        assert origin is not None
        assert origin.place.line == 7
        assert origin.given is not None
        assert origin.given.place.line == 3
        assert text in origin.given.text
        assert [function.doc for function in origin.given.functions] == ["All of it."]
    other = find_origin("summary-other", [], [module], tmp_path)
    assert other is not None
    assert other.given is None
