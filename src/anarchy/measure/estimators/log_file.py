"""A log of anybody's deployment: one row a request, as Parquet or CSV (docs/measuring.md).

What such a log lacks is derived where it follows from the rest, and remembered where it does not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from anarchy.common.errors import InputError, shown
from anarchy.config.estimator import Estimator
from anarchy.measure.estimators.entries import ENTRIES
from anarchy.measure.estimators.observed import held
from anarchy.serving.log.request_log import VECTORS, Floats, Ints, RequestLog, Run

WANTED = ("arrival", "routed", "first_token", "done", "decode_worker", "output_tokens")
"""The columns that every log needs."""

ZERO = ("prefill_worker", "prompt", "tenant", "input_tokens", "cached_tokens")
"""The columns that are 0 where a log has none."""

ORDER = ("arrival", "routed", "done")
"""The times of a request in order, of those that every log has."""

MOST_WORKERS = 10_000


@dataclass(frozen=True)
class OwnLog:
    """A log as a run whose requests are all measured, and the columns that it has not."""

    source: str
    run: Run
    absent: frozenset[str]

    def check(self, name: str, options: Estimator) -> None:
        """Refuse an estimator, called `name`, that needs a column which the log has not."""
        for column in ENTRIES[options.entry].needs:
            if column in self.absent:
                raise InputError(
                    f"{self.source}: column '{column}' is missing, which entry '{options.entry}' "
                    f"of estimator '{name}' needs"
                )


def read_own_log(path: Path) -> OwnLog:
    """Read a file; a fault is one InputError that names the column, and the row if one is to blame.

    Columns that nobody knows are left out. Rows may come in any order.
    """
    table = _read(path)
    known = {column.name for column in fields(RequestLog)}
    given = _columns(table, str(path))
    absent = known - given.keys()
    for column in WANTED:
        if column in absent:
            raise InputError(
                f"{path}: column '{column}' is missing; wanted are {', '.join(WANTED)}"
            )
    _check(given, str(path))
    order = np.argsort(given["arrival"], kind="stable")
    log = _completed({name: values[order] for name, values in given.items()}, str(path))
    return OwnLog(str(path), _as_run(log), frozenset(absent))


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.suffix == ".csv":
            table = pc.read_csv(path)
        else:
            with pq.ParquetFile(path) as file:
                table = file.read()
        names = table.column_names  # decoded here, so they may be no text
    except (OSError, MemoryError, ValueError, pa.ArrowException) as error:
        text = " ".join(str(error).split())
        kind = "CSV" if path.suffix == ".csv" else "Parquet"
        raise InputError(f"{path}: no {kind} that can be read: {text}") from None
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}: column {shown(name)} is there twice")
    return table


def _columns(table: pa.Table, source: str) -> dict[str, Any]:
    """The known columns as arrays; those of one number a worker come as lists or numbered."""
    found: dict[str, Any] = {}
    for field in fields(RequestLog):
        name = field.name
        whole = field.type == Ints or "Ints" in str(field.type)
        if name in VECTORS:
            values = _vector(table, name, source, whole)
            if values is not None:
                found[name] = values
        elif name in table.column_names:
            found[name] = _numbers(table[name].combine_chunks(), name, source, whole)
    return found


def _vector(table: pa.Table, name: str, source: str, whole: bool) -> Any:
    """name_0, name_1, ... of a CSV, or a list a row."""
    parts: list[Any] = []
    while f"{name}_{len(parts)}" in table.column_names:
        column = f"{name}_{len(parts)}"
        parts.append(_numbers(table[column].combine_chunks(), column, source, whole))
    if parts:
        return np.stack(parts, axis=1)
    if name not in table.column_names:
        return None
    column = table[name].combine_chunks()
    if not pa.types.is_fixed_size_list(column.type):
        raise InputError(f"{source}: column '{name}': lists of one number a worker are wanted")
    flat = _numbers(column.flatten(), name, source, whole)
    return flat.reshape(len(table), column.type.list_size)


def _numbers(column: Any, name: str, source: str, whole: bool) -> Any:
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise InputError(f"{source}: column '{name}': numbers are wanted, not {_words(column)}")
    if column.null_count:
        row = column.is_null().to_pylist().index(True) + 1
        raise InputError(f"{source}: column '{name}', row {row}: a value is missing")
    values = column.to_numpy(zero_copy_only=False)
    if whole and (wrong := np.flatnonzero(values != np.floor(values))).size:
        value = shown(float(values[wrong[0]]))
        raise InputError(
            f"{source}: column '{name}', row {wrong[0] + 1}: a whole number is wanted (got {value})"
        )
    return values.astype(np.int64 if whole else np.float64)


def _words(column: pa.Array) -> str:
    """What a column without numbers holds: its first value that is none."""
    for row, value in enumerate(column.to_pylist(), start=1):
        try:
            float(value)
        except (TypeError, ValueError):
            return f"{shown(value)} as in row {row}"
    return str(column.type)


def _check(given: Mapping[str, Any], source: str) -> None:
    """Refuse an empty log, times that are no numbers or run backwards, and negative counts."""
    if not len(given["arrival"]):
        raise InputError(f"{source}: no request")
    for name, values in given.items():
        if name not in VECTORS:
            _refuse(~np.isfinite(values), f"{source}: column '{name}'", "a finite number is wanted")
    for name in ("decode_worker", "output_tokens", *(n for n in ZERO if n in given)):
        if name != "prefill_worker":  # -1: its decode worker computed the prompt
            _refuse(given[name] < 0, f"{source}: column '{name}'", "it is negative")
    for before, after in pairwise(ORDER):
        late = given[after] < given[before]
        _refuse(late, f"{source}: column '{after}'", f"it lies before '{before}'")


def _refuse(wrong: Any, place: str, fault: str) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        raise InputError(f"{place}, row {rows[0] + 1}: {fault}")


def _completed(given: dict[str, Any], source: str) -> RequestLog:
    """The log with what follows from it; requests are in order of arrival."""
    n = len(given["arrival"])
    workers = int(given["decode_worker"].max()) + 1
    for name in ("decode_cost", "decode_active"):
        if name in given:
            if given[name].shape[1] < workers:
                raise InputError(
                    f"{source}: column '{name}' has {given[name].shape[1]} workers, column "
                    f"'decode_worker' has {workers}"
                )
            workers = max(workers, given[name].shape[1])
    if workers > MOST_WORKERS:
        raise InputError(
            f"{source}: column 'decode_worker': {workers} workers; allowed: {MOST_WORKERS}"
        )
    columns: dict[str, Any] = {name: np.zeros(n, dtype=np.int64) for name in ZERO}
    columns |= {"prefill_start": given["arrival"], "prefill_end": given["routed"]}
    columns |= {"decode_start": given["routed"]}
    columns |= {"prefill_cost": np.zeros((n, 1)), "decode_cost": np.zeros((n, workers))}
    columns |= {"decode_active": _residents(given, workers)}
    return RequestLog(**columns | given)


def _residents(given: Mapping[str, Any], workers: int) -> Floats:
    """Requests on every worker just before each decision, routed and not done."""
    count = []
    for worker in range(workers):
        own = given["decode_worker"] == worker
        ones = np.ones(int(own.sum()))
        count.append(held(given["routed"], given["routed"][own], given["done"][own], ones))
    return np.stack(count, axis=1)


def _as_run(log: RequestLog) -> Run:
    nothing: Sequence[float] = [0.0]
    return Run(
        log=log,
        measured=np.ones(len(log), dtype=bool),
        start=float(log.arrival.min()),
        end=float(log.done.max()),
        prefill_busy=np.array(nothing),
        prefill_work=np.array(nothing),
        decode_busy=np.zeros(log.decode_active.shape[1]),
        extrapolated=0,
        table_context=0,
    )
