"""Folders as archives with the same bytes for the same content, and back."""

import gzip
import tarfile
from pathlib import Path

from anarchy.common.files import atomic


def pack(folder: Path, archive: Path, moment: int) -> None:
    """Write a folder as a gzipped tar archive, in which it is the one folder at the top.

    Every file in it has the time `moment` (seconds since 1970), no owner, and may be run or not.
    """
    with (
        atomic(archive) as temporary,
        temporary.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=9, fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = tarfile.TarInfo(path.relative_to(folder.parent).as_posix())
                entry.size, entry.mtime = path.stat().st_size, moment
                entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
                with path.open("rb") as content:
                    tar.addfile(entry, content)


def unpack(archive: Path, place: Path) -> Path:
    """Unpack such an archive below `place` and return the folder; nothing lands elsewhere."""
    with tarfile.open(archive, "r:gz") as tar:
        tar.extractall(place, filter="data")
    (folder,) = place.iterdir()
    return folder
