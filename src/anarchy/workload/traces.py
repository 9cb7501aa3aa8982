"""Recorded traces of LLM services: two formats in, arrays of requests out."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError

Format = Literal["mooncake", "azure"]

MOONCAKE_BLOCK = 512
MOST_TOKENS = 2**31 - 1
MOST_MILLISECONDS = 2**53  # 285,000 years; a float still holds every millisecond
AZURE_HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
AZURE_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,7}))?", re.ASCII)
TICKS = 10**7  # per second: the resolution of Azure's timestamps


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
    """Read a trace: .jsonl is Mooncake's format, .csv is Azure's; else its first line tells."""
    formats: dict[str, Format] = {".jsonl": "mooncake", ".csv": "azure"}
    format = formats.get(path.suffix) or _format_of(read_bytes(path))
    if format is None:
        raise InputError(f"{path}: unknown trace format; allowed: {', '.join(formats)}")
    return read_trace(path, format)


def _format_of(content: bytes) -> Format | None:
    if content.startswith(b"{"):
        return "mooncake"
    return "azure" if content.startswith(AZURE_HEADER.encode()) else None


def read_trace(path: Path, format: Format, sha256: str | None = None) -> TraceData:
    """Read a trace, after checking its `sha256` if one is given.

    "mooncake" has one JSON object a line: timestamp (milliseconds), input_length, output_length
    (tokens) and hash_ids, one for each block of 512 prompt tokens. "azure" is CSV: an ISO
    timestamp with up to seven fractional digits, prompt tokens, output tokens; it says nothing
    about prefixes. Raises InputError that names the first faulty line.
    """
    content = read_bytes(path, sha256)
    try:
        lines = content.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: not UTF-8 text") from None
    if lines[-1] == "":  # the end of the last line
        lines.pop()
    return _mooncake(path, lines) if format == "mooncake" else _azure(path, lines)


def count_rows(content: bytes, format: Format) -> int:
    """The requests of a trace that is known to be sound: one a line, Azure's after a header."""
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    return lines - (format == "azure")


def _mooncake(path: Path, lines: list[str]) -> TraceData:
    times: list[float] = []
    inputs: list[int] = []
    outputs: list[int] = []
    blocks: list[tuple[int, ...]] = []
    previous = 0.0
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            time, ids = row["timestamp"], row["hash_ids"]
            tokens, answer = row["input_length"], row["output_length"]
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{number}: not JSON: {error.msg}") from None
        except KeyError as error:
            raise InputError(f"{path}:{number}: key {error} is missing") from None
        except (TypeError, ValueError, RecursionError):
            raise InputError(f"{path}:{number}: not a JSON object of a request") from None
        where = f"{path}:{number}"
        if type(time) not in (int, float) or not 0 <= time <= MOST_MILLISECONDS:
            raise InputError(f"{where}: timestamp {time!r}, allowed are milliseconds from 0")
        if time < previous:
            raise InputError(f"{where}: timestamp {time} after {previous}; rows must be in order")
        _check_tokens(where, "input_length", tokens)
        _check_tokens(where, "output_length", answer)
        if type(ids) is not list or set(map(type, ids)) - {int}:
            raise InputError(f"{where}: hash_ids must be a list of whole numbers")
        if len(ids) != (needed := -(-tokens // MOONCAKE_BLOCK)):
            raise InputError(
                f"{where}: {len(ids)} hash_ids, but {tokens} prompt tokens have {needed} blocks "
                f"of {MOONCAKE_BLOCK}"
            )
        previous = time
        times.append(time)
        inputs.append(tokens)
        outputs.append(answer)
        blocks.append(tuple(ids))
    if not times:
        raise InputError(f"{path}: no requests")
    arrival = (np.array(times, dtype=np.float64) - times[0]) / 1000
    return _data(arrival, inputs, outputs, blocks, MOONCAKE_BLOCK)


def _azure(path: Path, lines: list[str]) -> TraceData:
    if not lines or lines[0] != AZURE_HEADER:
        raise InputError(f"{path}:1: the header must be {AZURE_HEADER}")
    ticks: list[int] = []
    inputs: list[int] = []
    outputs: list[int] = []
    for number, line in enumerate(lines[1:], start=2):
        where = f"{path}:{number}"
        cells = line.split(",")
        if len(cells) != 3:
            raise InputError(f"{where}: {len(cells)} columns, expected 3")
        tick = _ticks(where, cells[0])
        if ticks and tick < ticks[-1]:
            raise InputError(f"{where}: TIMESTAMP {cells[0]} is earlier than the row before")
        ticks.append(tick)
        inputs.append(_tokens(where, "ContextTokens", cells[1]))
        outputs.append(_tokens(where, "GeneratedTokens", cells[2]))
    if not ticks:
        raise InputError(f"{path}: no requests")
    arrival = np.array([tick - ticks[0] for tick in ticks], dtype=np.float64) / TICKS
    return _data(arrival, inputs, outputs, [()] * len(ticks), None)


def _data(
    arrival: NDArray[np.float64],
    inputs: list[int],
    outputs: list[int],
    blocks: list[tuple[int, ...]],
    block_tokens: int | None,
) -> TraceData:
    return TraceData(
        arrival,
        np.array(inputs, dtype=np.int64),
        np.array(outputs, dtype=np.int64),
        blocks,
        block_tokens,
    )


def _ticks(where: str, text: str) -> int:
    """An ISO time in units of 100 ns; `datetime` alone would drop the seventh digit."""
    match = AZURE_TIME.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        moment = datetime.fromisoformat(match[1])
    except ValueError:
        raise InputError(
            f"{where}: TIMESTAMP {text!r}, expected YYYY-MM-DD hh:mm:ss with up to 7 more digits"
        ) from None
    since = moment - datetime.min
    return (since.days * 86_400 + since.seconds) * TICKS + int((match[2] or "").ljust(7, "0"))


def _tokens(where: str, key: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise InputError(f"{where}: {key} {text!r}, allowed are 1 to {MOST_TOKENS}")
    tokens = int(text)
    _check_tokens(where, key, tokens)
    return tokens


def _check_tokens(where: str, key: str, tokens: Any) -> None:
    if type(tokens) is not int or not 1 <= tokens <= MOST_TOKENS:
        raise InputError(f"{where}: {key} {tokens!r}, allowed are 1 to {MOST_TOKENS}")


def describe_trace(data: TraceData) -> list[dict[str, Any]]:
    """Result rows that say what a trace is: {id, value, unit}.

    The rate is that of the arrivals after the first one; percentiles interpolate linearly. A
    trace with prefix information also gets its distinct blocks and its prefix-reuse ceiling.
    """
    duration = float(data.arrival[-1])
    rows: list[dict[str, Any]] = [
        {"id": "requests", "value": len(data), "unit": "1"},
        {"id": "duration", "value": duration, "unit": "s"},
        {
            "id": "rate",
            "value": (len(data) - 1) / duration if duration > 0 else None,
            "unit": "1/s",
        },
    ]
    for name, tokens in (("input", data.input_tokens), ("output", data.output_tokens)):
        p50, p99 = np.percentile(tokens, [50, 99])
        for statistic, value in (("mean", tokens.mean()), ("p50", p50), ("p99", p99)):
            rows.append({"id": f"{name}-tokens-{statistic}", "value": value, "unit": "tokens"})
    if data.block_tokens is not None:
        unique = len({block for blocks in data.blocks for block in blocks})
        rows.append({"id": "unique-blocks", "value": unique, "unit": "1"})
        rows.append({"id": "reuse-ceiling", "value": reuse_ceiling(data), "unit": "1"})
    return rows


def reuse_ceiling(data: TraceData) -> float:
    """The share of all prompt tokens that one infinite cache, shared by all, would have held.

    A prompt reuses its longest prefix of blocks seen before; its partial last block counts with
    the tokens that it has. Prompts arrive one after the other, each cached at once.
    """
    if data.block_tokens is None:
        raise ValueError("the trace says nothing about prefixes")
    reused = sum(_reused(data))
    return reused / int(data.input_tokens.sum())


def _reused(data: TraceData) -> Iterator[int]:
    assert data.block_tokens is not None
    seen: set[int] = set()
    for tokens, blocks in zip(data.input_tokens.tolist(), data.blocks, strict=True):
        overlap = next((k for k, block in enumerate(blocks) if block not in seen), len(blocks))
        seen.update(blocks)
        yield min(tokens, overlap * data.block_tokens)


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
