"""Request logs in files: what is none is refused in one line."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.serving.log.request_log import SCALARS, VECTORS, RequestLog, read_log, write_log

ROWS = 3


def log(tiers: bool = True) -> RequestLog:
    columns = {name: np.arange(ROWS).astype(kind) for name, kind in SCALARS.items()}
    vectors = {name: np.arange(2.0 * ROWS).reshape(ROWS, 2) for name in VECTORS}
    vectors["cached_by_tier"] = np.ones((ROWS, 4), np.int64)
    if not tiers:
        del vectors["cached_by_tier"]
    return RequestLog(**columns, **vectors)


@pytest.mark.parametrize("tiers", [True, False])
def test_a_log_comes_back_as_it_was(tmp_path: Path, tiers: bool) -> None:
    write_log(tmp_path / "log.parquet", log(tiers))
    again = read_log(tmp_path / "log.parquet").columns()
    for name, values in log(tiers).columns().items():
        np.testing.assert_array_equal(values, again.pop(name))
    assert not again


def changed(name: str, column: object) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(name), name, pa.array(column))


HOSTILE: dict[str, tuple[Callable[[pa.Table], pa.Table], str]] = {
    "missing": (lambda table: table.drop_columns(["done"]), "column 'done' is missing"),
    "unknown": (lambda table: table.append_column("more", pa.array([1, 2, 3])), "'more'"),
    "twice": (lambda table: table.append_column("done", table["done"]), "done"),
    "text": (changed("done", ["a", "b", "c"]), "'done' has values of another type, string"),
    "whole": (changed("done", [1, 2, 3]), "'done' has values of another type, int64"),
    "null": (changed("done", [1.0, None, 3.0]), "a value is missing"),
    "scalar": (changed("decode_cost", [[1.0, 2.0], [3.0], []]), "of another type, list<"),
    "nested": (changed("tenant", [[1], [2], [3]]), "'tenant' has values of another type"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_other_columns_are_refused(tmp_path: Path, case: str) -> None:
    change, message = HOSTILE[case]
    path = tmp_path / "log.parquet"
    write_log(path, log())
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(InputError) as fault:
        read_log(path)
    assert str(fault.value).startswith(f"{path}: no request log that can be read: ")
    assert message in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 3, b"arrival,done\n1,2\n"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.parquet"
    path.write_bytes(content)
    for other in (path, tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="no request log that can be read"):
            read_log(other)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "log.parquet"
    write_log(path, log())
    return path


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=20))
def test_damaged_files_are_read_or_refused(written: Path, damages: list[tuple[int, int]]) -> None:
    path, content = written.with_name("damaged.parquet"), bytearray(written.read_bytes())
    for place, byte in damages:
        content[place % len(content)] = byte
    path.write_bytes(content)
    found = outcome(path)
    if isinstance(found, str):
        assert "\n" not in found
    else:
        assert len({len(values) for values in found.columns().values()}) == 1
        assert [column.name for column in dataclasses.fields(found)][: len(SCALARS)] == [*SCALARS]


def outcome(path: Path) -> RequestLog | str:
    try:
        return read_log(path)
    except InputError as fault:
        return str(fault)
