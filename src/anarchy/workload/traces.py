"""Recorded traces of LLM services: two formats in, arrays of requests out."""

import gzip
import hashlib
import io
import json
import logging
import re
import zlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import IO, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError, shown
from anarchy.workload.prefix_ids import MOST_ID, as_prefixes

Format = Literal["mooncake", "azure"]

MOONCAKE_BLOCK = 512
MOST_TOKENS = 2**31 - 1
MOST_MILLISECONDS = 2**53  # 285,000 years; a float still holds every millisecond
AZURE_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
AZURE_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)?", re.ASCII
)
TICKS = 10**7  # per second: the resolution of Azure's timestamps
START = datetime(1, 1, 1, tzinfo=UTC)

SUFFIXES: dict[str, Format] = {".jsonl": "mooncake", ".csv": "azure"}
READABLE = (
    "JSON lines with timestamp, input_length, output_length, hash_ids (.jsonl), and CSV with the "
    f"header {AZURE_HEADER} (.csv); either may be compressed (.gz)"
)

MOST_LINE, MOST_BYTES = 2**24, 2**32
"""Bytes of a line, and of a trace when it is unpacked: files without end are not read to theirs."""

Lines = Iterator[tuple[int, str]]
"""Lines that are not blank, with their numbers from 1."""


@dataclass(frozen=True)
class TraceData:
    """The n requests of a trace in order of arrival.

    `arrival` is in seconds from the first one. `blocks[i]` are the ids of the prompt's blocks of
    `block_tokens` tokens, the last one perhaps partial; equal ids are equal prefixes up to the
    end of the block. Without prefix information `blocks[i]` is empty and `block_tokens` None.
    """

    arrival: NDArray[np.float64]
    input_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    blocks: Sequence[tuple[int, ...]]
    block_tokens: int | None

    def __len__(self) -> int:
        return len(self.arrival)


def load_trace(path: Path) -> TraceData:
    """Read a trace: .jsonl is Mooncake's format, .csv is Azure's; else its first line tells.

    A pipe will do. See `read_trace`.
    """
    name = path.with_suffix("") if path.suffix == ".gz" else path
    with _opened(path) as stream:
        return _read(path, stream, SUFFIXES.get(name.suffix))


def read_trace(path: Path, format: Format, sha256: str | None = None) -> TraceData:
    """Read a trace, after checking its `sha256` if one is given.

    "mooncake" has one JSON object a line: timestamp (milliseconds), input_length, output_length
    (tokens) and hash_ids, one for each block of 512 prompt tokens. "azure" is CSV: an ISO
    timestamp with up to seven fractional digits, prompt tokens, output tokens; it says nothing
    about prefixes. Blank lines do not count. Rows that are not in order of time are sorted, and a
    request without output tokens gets one, which real engines sample when prefill ends; a line on
    stderr says so. Raises InputError that names the first faulty line.
    """
    with _opened(path) if sha256 is None else io.BytesIO(read_bytes(path, sha256)) as stream:
        return _read(path, stream, format)


def read_bytes(path: Path, sha256: str | None = None) -> bytes:
    """The content of a file, refused when it has not the `sha256` that is given."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    got = hashlib.sha256(content).hexdigest()
    if sha256 is not None and got != sha256:
        raise InputError(
            f"{path}: not the registered trace: its sha256 is {got[:12]}..., expected "
            f"{sha256[:12]}...; remove the file, or give it to a scenario by its path"
        )
    return content


def count_rows(content: bytes, format: Format) -> int:
    """The requests of a trace that is known to be sound: one a line, Azure's after a header."""
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    return lines - (format == "azure")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file or pipe, unpacked; a fault while they are read is an InputError."""
    try:
        with path.open("rb") as file:
            packed = file.peek(2).startswith(b"\x1f\x8b")
            yield cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read: {reason}") from None


def _lines(path: Path, stream: IO[bytes]) -> Lines:
    number = size = 0
    while line := stream.readline(MOST_LINE + 1):
        number, size = number + 1, size + len(line)
        if len(line) > MOST_LINE:
            raise InputError(f"{path}:{number}: the line has more than {MOST_LINE >> 20} MiB")
        if size > MOST_BYTES:
            raise InputError(f"{path}: more than {MOST_BYTES >> 30} GiB are no trace that is read")
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise InputError(f"{path}:{number}: not UTF-8 text") from None
        if text:
            yield number, text


def _read(path: Path, stream: IO[bytes], format: Format | None) -> TraceData:
    lines = _lines(path, stream)
    first = next(lines, None)
    if first is None:
        raise InputError(f"{path}: no requests")
    if format is None:
        format = _format_of(first[1])
    if format is None:
        raise InputError(f"{path}: unknown trace format; readable are {READABLE}")
    read = _mooncake if format == "mooncake" else _azure
    return read(path, chain([first], lines))


def _format_of(line: str) -> Format | None:
    if line.startswith("{"):
        return "mooncake"
    return "azure" if line.startswith(AZURE_HEADER) else None


class _Rows:
    """The rows of a trace as they are read: a time of `type`, prompt and output tokens."""

    def __init__(self, path: Path, type: Literal["d", "q"]) -> None:
        self._path = path
        self._times: Any = array(type)
        self._inputs = array("q")
        self._outputs = array("q")

    def add(self, time: float, tokens: int, answer: int) -> None:
        self._times.append(time)
        self._inputs.append(tokens)
        self._outputs.append(answer)

    def trace(self, per_second: int, prompts: list[tuple[int, ...]] | None) -> TraceData:
        """What is read of them; a time is one `per_second`-th of a second."""
        times, inputs, outputs = map(np.array, (self._times, self._inputs, self._outputs))
        if not len(times):
            raise InputError(f"{self._path}: no requests")
        if (late := np.diff(times) < 0).any():
            order = np.argsort(times, kind="stable")
            times, inputs, outputs = times[order], inputs[order], outputs[order]
            if prompts is not None:
                prompts = [prompts[row] for row in order]
            self._note(f"rows earlier than the row before: {late.sum():,}; all rows are sorted")
        if (none := outputs == 0).any():
            outputs = np.maximum(outputs, 1)
            self._note(f"requests without output tokens: {none.sum():,}; each counts as one token")
        arrival = (times - times[0]).astype(np.float64) / per_second
        if prompts is None:
            return TraceData(arrival, inputs, outputs, [()] * len(arrival), None)
        return TraceData(arrival, inputs, outputs, as_prefixes(prompts), MOONCAKE_BLOCK)

    def _note(self, text: str) -> None:
        logging.getLogger(__name__).warning("anarchy: %s: %s", self._path, text)


def _mooncake(path: Path, lines: Lines) -> TraceData:
    rows = _Rows(path, "d")
    prompts: list[tuple[int, ...]] = []
    for number, line in lines:
        where = f"{path}:{number}"
        try:
            row = json.loads(line)
            time, ids = row["timestamp"], row["hash_ids"]
            tokens, answer = row["input_length"], row["output_length"]
        except json.JSONDecodeError as error:
            raise InputError(f"{where}: not JSON: {error.msg}") from None
        except KeyError as error:
            raise InputError(f"{where}: key {error} is missing") from None
        except (TypeError, ValueError, RecursionError):
            raise InputError(f"{where}: not a JSON object of a request") from None
        if type(time) not in (int, float) or not 0 <= time <= MOST_MILLISECONDS:
            raise InputError(f"{where}: timestamp {shown(time)}, allowed are milliseconds from 0")
        _check_tokens(where, "input_length", tokens, 1)
        _check_tokens(where, "output_length", answer, 0)
        if type(ids) is not list or set(map(type, ids)) - {int}:
            raise InputError(f"{where}: hash_ids must be a list of whole numbers")
        if not 0 <= min(ids, default=0) <= max(ids, default=0) <= MOST_ID:
            raise InputError(f"{where}: hash_ids must be whole numbers from 0 to {MOST_ID}")
        if len(ids) != (needed := -(-tokens // MOONCAKE_BLOCK)):
            raise InputError(
                f"{where}: {len(ids)} hash_ids, but {tokens} prompt tokens have {needed} blocks "
                f"of {MOONCAKE_BLOCK}"
            )
        rows.add(time, tokens, answer)
        prompts.append(tuple(ids))
    return rows.trace(1000, prompts)


def _azure(path: Path, lines: Lines) -> TraceData:
    number, header = next(lines)
    if header != AZURE_HEADER:
        raise InputError(f"{path}:{number}: the header must be {AZURE_HEADER}")
    rows = _Rows(path, "q")
    for number, line in lines:
        where = f"{path}:{number}"
        cells = line.split(",")
        if len(cells) != 3:
            raise InputError(f"{where}: {len(cells)} columns, expected 3")
        rows.add(
            _ticks(where, cells[0]),
            _tokens(where, "ContextTokens", cells[1], 1),
            _tokens(where, "GeneratedTokens", cells[2], 0),
        )
    return rows.trace(TICKS, None)


def _ticks(where: str, text: str) -> int:
    """An ISO time in units of 100 ns; `datetime` alone would drop the seventh digit."""
    match = AZURE_TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        since = datetime.fromisoformat(match[1] + (match[3] or "Z")) - START
    except ValueError:
        raise InputError(
            f"{where}: TIMESTAMP {shown(text)}, expected YYYY-MM-DD hh:mm:ss with up to 7 more "
            "digits and perhaps an offset from UTC, as +00:00"
        ) from None
    return (since.days * 86_400 + since.seconds) * TICKS + int((match[2] or "").ljust(7, "0"))


def _tokens(where: str, key: str, text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InputError(f"{where}: {key} {shown(text)}, allowed are {least} to {MOST_TOKENS}")
    tokens = int(text)
    _check_tokens(where, key, tokens, least)
    return tokens


def _check_tokens(where: str, key: str, tokens: Any, least: int) -> None:
    if type(tokens) is not int or not least <= tokens <= MOST_TOKENS:
        raise InputError(f"{where}: {key} {shown(tokens)}, allowed are {least} to {MOST_TOKENS}")
