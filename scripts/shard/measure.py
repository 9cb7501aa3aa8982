"""Measure cells, and hold each against what memory allows at best."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anarchy.common.errors import InputError
from shard.grid import Cell
from shard.report import Report
from shard.shapes import Shape
from shard.steps import Step, operations, streamed_bytes

COMPUTE = 1e15
"""Operations a second of a fast GPU in FP8, about: only the time left is guessed by it."""

SET_UP = 0.3
"""Seconds that a cell takes besides its replays, about: likewise."""

Replay = Callable[[Step, int], Sequence[float]]
"""Runs a step some times; milliseconds of each. A MemoryError: the step does not fit."""


@dataclass(frozen=True)
class Memory:
    """What a GPU's memory was measured to do: bytes a second, and bytes that its cache may keep."""

    bandwidth: float
    cache: float

    def floor_ms(self, shape: Shape, step: Step) -> float:
        """The least time of a step: what the cache cannot have kept has to be streamed."""
        return max(0.0, streamed_bytes(shape, step) - self.cache) / self.bandwidth * 1e3


def measure(
    report: Report,
    cells: Sequence[Cell],
    shape: Shape,
    memory: Memory,
    replay: Replay,
    say: Callable[[str], None],
) -> None:
    """Measure the cells, a line of progress each; one that does not fit is left out.

    Raises InputError at a cell that is faster than memory allows, which is not kept.
    """
    expected = [_expected(cell, shape, memory) for cell in cells]
    start = time.monotonic()
    for place, cell in enumerate(cells, start=1):
        said = _measured(report, cell, shape, memory, replay)
        left = (time.monotonic() - start) * sum(expected[place:]) / sum(expected[:place])
        say(f"{place}/{len(cells)} {_words(cell)}: {said}; {_duration(left)} left")


def _measured(report: Report, cell: Cell, shape: Shape, memory: Memory, replay: Replay) -> str:
    """Measure a cell and keep it; what to say of it."""
    start = time.monotonic()
    try:
        times = replay(cell.step, cell.replays)
    except MemoryError:
        return "left out, it does not fit into memory"
    floor = memory.floor_ms(shape, cell.step)
    if min(times) < floor:
        # It has computed something else than the step.
        raise InputError(
            f"{_words(cell)}: {min(times):.3f} ms is less than the {floor:.3f} ms that its bytes "
            "take to stream; a fault of this script, nothing kept"
        )
    ms = report.add(cell, times, time.monotonic() - start)["ms"]
    speed = operations(shape, cell.step) / ms / 1e9
    return f"{ms:.3f} ms, {floor:.3f} by memory alone ({floor / ms:.0%}), {speed:.0f} TFLOP/s"


def _expected(cell: Cell, shape: Shape, memory: Memory) -> float:
    """Seconds that a cell may take, good enough to share out the time left."""
    computing = operations(shape, cell.step) / COMPUTE
    streaming = streamed_bytes(shape, cell.step) / memory.bandwidth
    return SET_UP + cell.replays * (computing + streaming)


def _words(cell: Cell) -> str:
    return " ".join([cell.kind, *(f"{key}={value}" for key, value in cell.keys.items())])


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
