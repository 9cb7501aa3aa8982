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


def zeros(kind: type[R], *shape: int) -> Any:
    """A table of records, or a grid of them, of zeros."""
    layout = dtype_of(kind)  # type: ignore[arg-type]  # mypy doubts that classes are hashable
    return np.zeros(shape, layout).view(np.recarray)


def record(kind: type[R], *sources: object, **values: float) -> R:
    """A single record; fields that have no value here are those of its `sources` of the same name,
    or zero."""
    made: R = zeros(kind, 1)[0]
    fields = made.dtype.names  # type: ignore[attr-defined]
    for source in sources:
        values = {name: value for name, value in vars(source).items() if name in fields} | values
    for name, value in values.items():
        setattr(made, name, value)
    return made


def raw(values: Any) -> Any:
    """The same memory without fields: NumPy copies records field by field, and bytes at once."""
    return np.asarray(values).view(np.dtype((np.void, values.dtype.itemsize)))


def longer(table: T, length: int = 0, axis: int = 0) -> T:
    """A copy of an array with zeros behind it: twice as long, or `length` long."""
    values: Any = table
    shape = [*values.shape]
    shape[axis] = length or 2 * shape[axis]
    grown = np.zeros(shape, values.dtype)
    raw(grown)[tuple(map(slice, values.shape))] = raw(values)
    copy: T = grown.view(type(values))
    return copy
