"""Results files: flat, rounded, atomic."""

import json
import math
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

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


def test_an_interrupt_as_soon_as_the_file_is_there_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = os.open

    def interrupted(*arguments: Any) -> int:
        os.close(create(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "text.txt", "new")
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from anarchy.common.files import atomic
with atomic(sys.argv[1]) as temporary:
    temporary.write_text("left behind")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_remains_of_killed_processes_are_removed_and_no_others(tmp_path: Path) -> None:
    path, other = tmp_path / "text.txt", tmp_path / ".text.0123abcd.part.json"
    other.write_text("of another file")
    for count in (2, 2, 2):
        subprocess.run([sys.executable, "-c", KILLED, path], check=False)
        assert len(list(tmp_path.iterdir())) == count, "each removes what the one before left"
    with atomic(path) as written:
        written.write_text("new")
        write_text(path, "written in between")
        assert written.exists(), "somebody writes it"
    assert path.read_text() == "new"
    assert {p.name for p in tmp_path.iterdir()} == {"text.txt", other.name}


WRITER = """
import sys
from anarchy.common.files import atomic
for k in range(60):
    with atomic(sys.argv[1]) as temporary:
        temporary.write_bytes(sys.argv[2].encode() * (1 << 18))
"""


def test_processes_that_write_one_file_at_once_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, letter]) for letter in "abc"]
    seen: set[str] = set()
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            text = path.read_text()
            assert len(text) == 1 << 18
            assert len(set(text)) == 1
            seen.add(text[0])
        time.sleep(0.001)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert len(seen) > 1, "they did write at once"
    assert [p.name for p in tmp_path.iterdir()] == ["text.txt"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    path, link = tmp_path / "folder" / "text.txt", tmp_path / "link.txt"
    link.symlink_to(path)
    for text in ("new", "newer"):
        write_text(link, text)
        assert link.is_symlink()
        assert path.read_text() == text
    assert [p.name for p in path.parent.iterdir()] == ["text.txt"]


def test_what_is_no_file_is_left_alone(tmp_path: Path) -> None:
    pipe, loop, folder = (tmp_path / name for name in ("pipe", "loop", "folder"))
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    folder.mkdir()
    link = tmp_path / "link"
    link.symlink_to(pipe)
    before = {p: p.lstat() for p in tmp_path.iterdir()}
    for path in (pipe, loop, folder, link, Path("/dev/null")):
        with pytest.raises(OSError, match="it is there and no regular file"):
            write_text(path, "new")
    assert {p: p.lstat() for p in tmp_path.iterdir()} == before
    assert Path("/dev/null").is_char_device()


def test_a_file_has_the_permissions_that_new_files_have(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "text.txt", "new")
    assert (tmp_path / "text.txt").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_temporary_file_has_the_suffix_of_its_target(tmp_path: Path) -> None:
    with atomic(tmp_path / "figure.pdf") as temporary:
        assert temporary.suffix == ".pdf"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"")
