"""The blocks of many requests in one array: a tuple of Python integers takes ten times as much."""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Ids = NDArray[np.int32]


class BlockTable(Sequence[tuple[int, ...]]):
    """Tuples of block ids, kept as ranges of one array: a tuple exists only while it is used.

    Request i has ids[starts[i] : starts[i] + counts[i]].
    """

    def __init__(self, ids: Ids, starts: Integers, counts: Integers) -> None:
        self._ids = ids
        self._starts = starts
        self._ends = starts + counts

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> tuple[int, ...]: ...
    @overload
    def __getitem__(self, index: slice) -> "BlockTable": ...
    def __getitem__(self, index: int | slice) -> "tuple[int, ...] | BlockTable":
        starts, ends = self._starts[index], self._ends[index]
        if isinstance(index, slice):
            return BlockTable(self._ids, starts, ends - starts)
        return tuple(self._ids[starts:ends].tolist())

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        ids = self._ids
        for start, end in zip(self._starts.tolist(), self._ends.tolist(), strict=True):
            yield tuple(ids[start:end].tolist())
