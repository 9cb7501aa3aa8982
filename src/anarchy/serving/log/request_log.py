"""The request log: one row per request, one column per quantity, in order of arrival.

It is the only thing that leaves a simulation: every measure is computed from it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.common.files import atomic
from anarchy.serving.log.control_history import ControlHistory

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class LoggedRequest:
    """What the log has of a request in numbers: a simulator's requests have fields of these names.

    Times in seconds from the start of the run.
    """

    arrival: float
    prefill_start: float
    prefill_end: float
    routed: float  # the decode decision: prefill and hand-off are over
    first_token: float  # by the scenario's definition of TTFT
    decode_start: float  # the step boundary at which the request joined the batch
    done: float
    prefill_worker: int  # -1: its decode worker computed the prompt
    decode_worker: int
    prompt: int  # template, or row of the trace
    tenant: int  # position in the workload's list of tenants
    input_tokens: int
    output_tokens: int
    cached_tokens: int  # prompt tokens that prefill took from its cache


@dataclass(frozen=True)
class RequestLog:
    """Columns of equal length n: those of `LoggedRequest`, and what the routers saw.

    `prefill_cost` is n x P and `decode_cost`, `decode_active` are n x D: what the router saw of
    every worker at the moment of its decision. A worker that is not in service costs infinitely
    much; nan stands where there was no decision. Rows are in order of arrival.
    """

    arrival: Floats
    prefill_start: Floats
    prefill_end: Floats
    routed: Floats
    first_token: Floats
    decode_start: Floats
    done: Floats
    prefill_worker: Ints
    decode_worker: Ints
    prompt: Ints
    tenant: Ints
    input_tokens: Ints
    output_tokens: Ints
    cached_tokens: Ints
    prefill_cost: Floats
    decode_cost: Floats
    decode_active: Floats  # requests assigned and not done, without this one
    cached_by_tier: Ints | None = None  # n x 4, cached_tokens by tier G1 to G4, if there are tiers

    def __len__(self) -> int:
        return len(self.arrival)

    def select(self, rows: NDArray[np.bool_]) -> "RequestLog":
        """The rows where the mask is true."""
        return RequestLog(**{name: values[rows] for name, values in self.columns().items()})

    def columns(self) -> dict[str, Any]:
        """The columns that the log has, by name."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: values for name, values in columns.items() if values is not None}

    def cached_in(self, tier: int) -> Ints:
        """Prompt tokens that prefill took from one tier, 0 to 3 for G1 to G4.

        Caches without tiers are in G1.
        """
        if self.cached_by_tier is not None:
            return self.cached_by_tier[:, tier]
        return np.zeros_like(self.cached_tokens) if tier else self.cached_tokens

    @property
    def ttft(self) -> Floats:
        """Time to first token, seconds."""
        return self.first_token - self.arrival

    @property
    def e2e(self) -> Floats:
        """End-to-end latency, seconds."""
        return self.done - self.arrival

    @property
    def itl(self) -> Floats:
        """Mean inter-token latency: time in decode after joining a batch per output token."""
        return (self.done - self.decode_start) / self.output_tokens


VECTORS = ("prefill_cost", "decode_cost", "decode_active", "cached_by_tier")
"""The columns that have several numbers for each request: one per worker or tier."""

SCALARS: dict[str, type[np.float64] | type[np.int64]] = {
    column.name: np.float64 if column.type == Floats else np.int64
    for column in fields(RequestLog)
    if column.name not in VECTORS
}
"""The columns that have one number for each request, in order, and its kind.

Both simulators keep a request's fields under these names.
"""


@dataclass(frozen=True)
class PoolHistory:
    """How many workers were in service, and what the planner decided; times in seconds.

    From `time[i]` on there were `prefill[i]` and `decode[i]` workers in service. At
    `decided_at[i]` the planner wanted `wanted_prefill[i]` and `wanted_decode[i]`, those included
    that are starting.
    """

    time: Floats
    prefill: Ints
    decode: Ints
    decided_at: Floats
    wanted_prefill: Ints
    wanted_decode: Ints


@dataclass(frozen=True)
class Run:
    """A finished simulation: its log, the measured window and what each worker did in it.

    `start` and `end` (seconds) bound the window after warm-up; `prefill_busy` and `decode_busy`
    are the seconds within it that each worker computed, `prefill_work` those that the same
    prompts would have taken in full steps (equal to busy without batching), and `frontend_busy`
    those that a serial frontend was at work (0 without one). `log` holds all
    requests that arrived and were done; `measured` marks those done within the window.
    `extrapolated` counts look-ups beyond the latency table, whose last context is
    `table_context` tokens. `restarts` counts how often a request was lost to a failed worker and
    began anew; the log has the times of its last attempt. `pools` is there if workers may come
    and go, `control` if a controller watches.
    """

    log: RequestLog
    measured: NDArray[np.bool_]
    start: float
    end: float
    prefill_busy: Floats
    prefill_work: Floats
    decode_busy: Floats
    extrapolated: int
    table_context: int
    frontend_busy: float = 0.0
    restarts: int = 0
    pools: PoolHistory | None = None
    control: ControlHistory | None = None


ROWS = ("log", "measured")
"""The fields of a run that grow with its requests."""

ROW_GROUP = 1 << 17
"""Rows of a Parquet row group: what a writer keeps in memory."""


class LogWriter:
    """Writes a log that comes in pieces as Parquet; per-worker columns become fixed-size lists.

    The bytes of the file depend on the rows alone, not on how they are cut into pieces.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None  # made with the first rows, which tell the columns
        self._waiting: list[pa.Table] = []

    def write(self, log: RequestLog) -> None:
        """The next rows."""
        self._waiting.append(_table(log))
        count = sum(map(len, self._waiting))
        if count >= ROW_GROUP:
            rows, whole = pa.concat_tables(self._waiting), count // ROW_GROUP * ROW_GROUP
            self._write_groups(rows, whole)
            self._waiting = [rows.slice(whole)]

    def close(self) -> None:
        """Write what is left; without it the file is no Parquet."""
        rows = pa.concat_tables(self._waiting)
        self._write_groups(rows, len(rows))
        self._writer.close()

    def _write_groups(self, rows: pa.Table, upto: int) -> None:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, rows.schema, compression="zstd")
        for first in range(0, upto, ROW_GROUP):
            group = rows.slice(first, min(ROW_GROUP, upto - first))
            self._writer.write_table(group.combine_chunks(), row_group_size=ROW_GROUP)


@contextmanager
def log_writer(path: str | os.PathLike[str]) -> Iterator[LogWriter]:
    """A writer whose file is there whole when the context ends well, and not at all otherwise."""
    with atomic(path) as temporary:
        writer = LogWriter(temporary)
        yield writer
        writer.close()


def write_log(path: str | os.PathLike[str], log: RequestLog) -> None:
    """Write a log that is at hand."""
    with log_writer(path) as writer:
        writer.write(log)


def _table(log: RequestLog) -> pa.Table:
    columns = {}
    for name, values in log.columns().items():
        if values.ndim == 1:
            columns[name] = pa.array(values)
        else:
            flat = pa.array(values.reshape(-1))
            columns[name] = pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
    return pa.table(columns)


def read_log(path: str | os.PathLike[str]) -> RequestLog:
    """Read what `write_log` wrote; raises InputError for a file that is no such log."""
    try:
        with pq.ParquetFile(path) as file:
            _check_columns(file.schema_arrow)
            table = file.read()
        return RequestLog(**{name: _values(table[name]) for name in table.column_names})
    except (OSError, MemoryError, ValueError, TypeError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{os.fspath(path)}: no request log that can be read: {error}") from None


def _check_columns(schema: pa.Schema) -> None:
    for column in fields(RequestLog):
        if column.name not in schema.names:
            if column.default is MISSING:
                raise ValueError(f"column '{column.name}' is missing")
            continue
        type = schema.field(column.name).type
        if column.name in VECTORS and pa.types.is_fixed_size_list(type):
            type = type.value_type
        if type != (pa.float64() if column.type == Floats else pa.int64()):
            raise ValueError(f"column '{column.name}' has values of another type, {type}")


def _values(column: pa.ChunkedArray) -> Any:
    """An array of one number a row, or of as many as each list of the column has."""
    if column.null_count:
        raise ValueError("a value is missing")
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_numpy()
    values = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), column.type.list_size)
