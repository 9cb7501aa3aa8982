"""Archives have the same bytes for the same content, and come back as they were."""

import os
import tarfile
from pathlib import Path

import pytest

from anarchy.artefact.provenance.packing import pack, unpack


def fill(folder: Path, names: list[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / names[0]).chmod(0o700)
    return folder


def test_neither_order_nor_time_nor_owner_shows(tmp_path: Path) -> None:
    names = ["run", ".hidden/a", "b/" + "c" * 120, "b/é"]
    one = fill(tmp_path / "1" / "deposit", names)
    other = fill(tmp_path / "2" / "deposit", names[:1] + names[:0:-1])
    os.utime(other / "run", (1, 1))
    (other / ".hidden/a").chmod(0o640)
    pack(one, tmp_path / "1.tar.gz", 1000)
    pack(other, tmp_path / "2.tar.gz", 1000)
    assert (tmp_path / "1.tar.gz").read_bytes() == (tmp_path / "2.tar.gz").read_bytes()
    back = unpack(tmp_path / "1.tar.gz", tmp_path / "back")
    assert back.name == "deposit"
    files = {p.relative_to(back).as_posix(): p for p in back.rglob("*") if p.is_file()}
    assert {name: path.read_text() for name, path in files.items()} == {n: n for n in names}
    assert {path.stat().st_mtime for path in files.values()} == {1000}
    assert {name for name, path in files.items() if path.stat().st_mode & 0o111} == {"run"}


def test_other_content_has_other_bytes(tmp_path: Path) -> None:
    folder = fill(tmp_path / "deposit", ["a"])
    pack(folder, tmp_path / "1.tar.gz", 1000)
    (folder / "a").write_text("b")
    pack(folder, tmp_path / "2.tar.gz", 1000)
    assert (tmp_path / "1.tar.gz").read_bytes() != (tmp_path / "2.tar.gz").read_bytes()


def test_nothing_is_unpacked_outside(tmp_path: Path) -> None:
    evil = tmp_path / "evil.tar.gz"
    (tmp_path / "x").write_text("x")
    with tarfile.open(evil, "w:gz") as tar:
        tar.add(tmp_path / "x", "../outside")
    with pytest.raises(tarfile.OutsideDestinationError):
        unpack(evil, tmp_path / "place")
    assert not (tmp_path / "outside").exists()
