"""The two arrays of a run's state, and how parts of it are laid into them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from anarchy.serving.compiled.core.records import HEADER, REALS, Floats, Ints

ROOM = 1 << 18
"""Entries that there is room for at first: most short runs need no more, and copy nothing."""


MOST_KEPT = 1 << 26
"""Entries of an array that is kept for the next run at most: half a gigabyte."""

_kept: dict[type, np.ndarray] = {}


class Arena:
    """Two arrays that grow at their ends; a part that has moved leaves its old place empty."""

    def __init__(self, more: int = 0) -> None:
        """`more` integers than usual are to come."""
        self.ints: Ints = _zeros(ROOM + more, np.int64)
        self.reals: Floats = _zeros(ROOM, np.float64)
        self._used = [HEADER, REALS]

    def release(self) -> None:
        """Leave the memory to the next arena, which will overwrite it."""
        for kind, values in ((np.int64, self.ints), (np.float64, self.reals)):
            whole = values if values.base is None else values.base
            if len(_kept.get(kind, ())) < len(whole) <= MOST_KEPT:
                _kept[kind] = whole

    def integers(self, values: ArrayLike) -> int:
        """Lay out integers; their address."""
        flat = np.asarray(values, np.int64).reshape(-1)
        address = self.blank(len(flat))
        self.ints[address : address + len(flat)] = flat
        return address

    def blank(self, count: int) -> int:
        """Lay out zeros; their address."""
        address, end = self._used[0], self._used[0] + count
        if end > len(self.ints):
            self.ints = _longer(self.ints, end)
        self._used[0] = end
        return address

    def floats(self, values: ArrayLike) -> int:
        """Lay out reals; their address."""
        flat = np.asarray(values, np.float64).reshape(-1)
        address, end = self._used[1], self._used[1] + len(flat)
        if end > len(self.reals):
            self.reals = _longer(self.reals, end)
        self.reals[address:end] = flat
        self._used[1] = end
        return address

    def view(self, field: int, *shape: int) -> Ints:
        """The integers whose address is in `ints[field]`."""
        address = int(self.ints[field])
        return self.ints[address : address + int(np.prod(shape))].reshape(shape)

    def real_view(self, field: int, *shape: int) -> Floats:
        """The reals whose address is in `ints[field]`."""
        address = int(self.ints[field])
        return self.reals[address : address + int(np.prod(shape))].reshape(shape)

    def move(self, field: int, values: ArrayLike) -> None:
        """Lay out the integers of a field anew."""
        address = self.integers(values)  # may replace the array
        self.ints[field] = address

    def move_reals(self, field: int, values: ArrayLike) -> None:
        """Lay out the reals of a field anew."""
        address = self.floats(values)
        self.ints[field] = address


def _zeros(length: int, kind: type) -> Any:
    """Zeros, in the memory of an earlier run if that is long enough.

    The system hands memory out page by page, which takes several times as long as zeroing it.
    """
    kept = _kept.pop(kind, None)
    if kept is None or len(kept) < length:
        return np.zeros(length, kind)
    kept[:length] = 0
    return kept[:length]


def _longer(values: np.ndarray, length: int) -> np.ndarray:
    """Room for `length` entries and for as many to come."""
    grown = np.zeros(max(length, 2 * len(values)), values.dtype)
    grown[: len(values)] = values
    return grown


def put(ints: Ints, record: int, fields: Sequence[tuple[int, float]]) -> None:
    """Set fields of a record."""
    for field, value in fields:
        ints[record + field] = value
