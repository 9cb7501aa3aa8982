"""Results files: flat, rounded, atomic."""

import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from anarchy.common.files import atomic, read_rows, write_rows, write_text


def test_rows_survive_and_floats_have_twelve_digits(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    write_rows(path, [{"id": "a", "value": 1 / 3, "n": np.int64(3), "unit": None, "ok": True}])
    assert read_rows(path) == [
        {"id": "a", "value": 0.333333333333, "n": 3, "unit": None, "ok": True}
    ]


def test_infinities_are_words(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    write_rows(path, [{"value": math.inf}, {"value": np.float64(-math.inf)}])
    assert json.loads(path.read_text()) == [{"value": "inf"}, {"value": "-inf"}]
    assert read_rows(path) == [{"value": math.inf}, {"value": -math.inf}]


def test_no_rows_are_an_empty_array(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.json", [])
    assert read_rows(tmp_path / "rows.json") == []


@pytest.mark.parametrize("value", [math.nan, [1], {"a": 1}, Fraction(1, 3)])
def test_what_is_no_result_is_refused_and_leaves_nothing(tmp_path: Path, value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        write_rows(tmp_path / "rows.json", [{"value": value}])
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "text.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in path.parent.iterdir()] == ["text.txt"]


def test_the_remains_of_a_killed_process_are_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    with atomic(path) as temporary:
        remains = temporary
        temporary.write_text("x")
    remains.write_text("left behind")
    write_text(path, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["text.txt"]


def test_the_temporary_file_has_the_suffix_of_its_target(tmp_path: Path) -> None:
    with atomic(tmp_path / "figure.pdf") as temporary:
        assert temporary.suffix == ".pdf"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"")
