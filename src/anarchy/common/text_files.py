"""Text that users write, read whole, but never more of it than such text can sensibly be."""

from pathlib import Path
from typing import BinaryIO

from anarchy.common.errors import InputError

MOST_BYTES = 10_000_000
"""Longest configuration, table or game; traces are read elsewhere and may be longer."""


def read_text(path: Path) -> str:
    """The text of a file without its byte order mark, if it begins with one.

    Raises InputError for a file that is missing, cannot be read, is too long or no UTF-8.
    """
    try:
        with path.open("rb") as file:
            return decoded(file, str(path))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def decoded(file: BinaryIO, source: str) -> str:
    """As `read_text`, from an open file that messages call `source`; it may have no end."""
    content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"{source}: too long; allowed: {MOST_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{source}: not UTF-8 text") from None
