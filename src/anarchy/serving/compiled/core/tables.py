"""Records, and tables of them: NumPy arrays whose fields are the annotations of a class.

A table is a `numpy.recarray`, so that `table[i].field` is the same in compiled code, in a debugger
and to mypy. `table[i]` refers to the table, it copies nothing; no record may be kept while the
table it lies in is replaced by a longer one.
"""

import functools
from collections.abc import Iterator
from typing import Annotated, Any, Protocol, TypeVar, get_type_hints, overload

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
IntGrid = Annotated[NDArray[np.int64], 2]
FloatGrid = Annotated[NDArray[np.float64], 2]

Int32 = Annotated[int, np.int32]
"""A field of half the size; what it holds has to fit."""

WIDTHS: dict[Any, Any] = {int: np.int64, float: np.float64, bool: np.bool_, Int32: np.int32}
"""What the annotations of fields are to NumPy."""

NOBODY = -1
"""No record: what fields hold that are places of records."""

MOST_KEPT = 1 << 29
"""Bytes that are kept for the next run at most."""

FIRST_BLOCK = 1 << 21
"""Bytes of memory of a first run; short ones need no more."""

ALIGNMENT = 64


class Record:
    """Base of records: annotations are fields, and a record's own annotation is a part of it."""


R = TypeVar("R", bound=Record)
R_co = TypeVar("R_co", bound=Record, covariant=True)
T = TypeVar("T")


class Table(Protocol[R_co]):
    """A row of records; by the name of a field, its column."""

    @overload
    def __getitem__(self, place: int) -> R_co: ...
    @overload
    def __getitem__(self, place: slice | NDArray[Any]) -> "Table[R_co]": ...
    @overload
    def __getitem__(self, place: str) -> NDArray[Any]: ...
    def __setitem__(self, place: Any, value: Any) -> None: ...
    def __iter__(self) -> Iterator[R_co]: ...
    def __len__(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


class Grid(Protocol[R_co]):
    """Records in rows of equal length."""

    @overload
    def __getitem__(self, place: int) -> Table[R_co]: ...
    @overload
    def __getitem__(self, place: tuple[int, int]) -> R_co: ...
    @overload
    def __getitem__(self, place: str) -> NDArray[Any]: ...
    def __setitem__(self, place: Any, value: Any) -> None: ...
    def __len__(self) -> int: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


@functools.cache
def dtype_of(kind: type[Record]) -> np.dtype[Any]:
    """The layout of a class of records.

    Names that NumPy's own records have are refused: `record.size` would be something else.
    """
    fields = []
    for name, annotation in get_type_hints(kind, include_extras=True).items():
        assert not hasattr(np.record, name), f"{kind.__name__}.{name} is a name of NumPy's"
        is_record = isinstance(annotation, type) and issubclass(annotation, Record)
        fields.append((name, dtype_of(annotation) if is_record else WIDTHS[annotation]))
    return np.dtype((np.record, np.dtype(fields, align=True)))


class Memory:
    """Where the tables of one run lie; they begin as zeros.

    The system hands memory out page by page, which takes several times as long as zeroing it, so
    the next run takes over what one has released.
    """

    _released: NDArray[np.uint8] | None = None

    def __init__(self) -> None:
        block = Memory._released
        Memory._released = None
        self._block = np.empty(FIRST_BLOCK, np.uint8) if block is None else block
        self._used = self._asked = 0

    def table(self, kind: type[R], *shape: int, clear: bool = True) -> Any:
        """A table of records, or a grid of them; zeros unless each is written before it is read."""
        layout = dtype_of(kind)  # type: ignore[arg-type]  # mypy doubts that classes are hashable
        return self._place(layout, shape, clear).view(np.recarray)

    def record(self, kind: type[R], *sources: object, **values: float) -> R:
        """A single record; fields that have no value here are those of its `sources` of the same
        name, or zero."""
        record: R = self.table(kind, 1)[0]
        for source in sources:
            for name in dtype_of(kind).names or ():  # type: ignore[arg-type]
                if name not in values and hasattr(source, name):
                    setattr(record, name, getattr(source, name))
        for name, value in values.items():
            setattr(record, name, value)
        return record

    def zeros(self, kind: Any, *shape: int) -> Any:
        """Zeros of a NumPy type."""
        return self._place(kind, shape, clear=True)

    def _place(self, kind: Any, shape: tuple[int, ...], clear: bool) -> Any:
        bytes_ = int(np.prod(shape)) * np.dtype(kind).itemsize
        start, end = self._used, self._used + bytes_
        self._asked += bytes_ + ALIGNMENT
        if end > len(self._block):
            return np.zeros(shape, kind)
        self._used = -(-end // ALIGNMENT) * ALIGNMENT
        block = self._block[start:end]
        if clear:
            block[:] = 0
        return block.view(kind).reshape(shape)

    def release(self) -> None:
        """Leave as much as this run has asked for to the next one, which will overwrite it."""
        if len(self._block) < self._asked <= MOST_KEPT:
            self._block = np.empty(self._asked, np.uint8)
        Memory._released = self._block


def raw(values: Any) -> Any:
    """The same memory without fields: NumPy copies records field by field, and bytes at once."""
    return np.asarray(values).view(np.dtype((np.void, values.dtype.itemsize)))


def longer(table: T, length: int = 0) -> T:
    """A copy of an array with zeros behind it: twice as long, or `length` long."""
    values: Any = table
    grown = np.zeros((length or 2 * len(values), *values.shape[1:]), values.dtype)
    raw(grown)[: len(values)] = raw(values)
    copy: T = grown.view(type(values))
    return copy
