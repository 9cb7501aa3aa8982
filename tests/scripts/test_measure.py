"""Measuring cell by cell, on a machine that is made up."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from shard import grid
from shard.grid import Cell
from shard.measure import Memory, measure
from shard.report import Report
from shard.shapes import MODELS
from shard.steps import Step, kv_bytes

from anarchy.common.errors import InputError

MODEL = MODELS["llama31-70b-fp8-tp4"]
MEMORY = Memory(bandwidth=4e12, cache=50e6)
MADE_BY = {"gpu": "NVIDIA H200", "torch": "2", "cuda": "13", "driver": "580"}
CELLS = grid.quick()


@dataclass
class Machine:
    """Takes twice the least time that memory allows; `room` bytes hold the KV cache."""

    room: float = 1e12
    ratio: float = 2.0
    asked: list[Step] = field(default_factory=list)

    def replay(self, step: Step, times: int) -> Sequence[float]:
        self.asked.append(step)
        if kv_bytes(MODEL.shape, step) > self.room:
            raise MemoryError
        return [self.ratio * MEMORY.floor_ms(MODEL.shape, step)] * times


def run(path: Path, machine: Machine, cells: Sequence[Cell] = CELLS) -> list[str]:
    """Measure what the file lacks; the lines that were said."""
    lines: list[str] = []
    report = Report(path, MODEL, MADE_BY, 4.0)
    missing = [cell for cell in cells if not report.has(cell)]
    measure(report, missing, MODEL.shape, MEMORY, machine.replay, lines.append)
    return lines


def test_every_cell_is_replayed_as_often_as_the_grid_says(tmp_path: Path) -> None:
    path = tmp_path / "shard.json"
    machine = Machine()
    lines = run(path, machine)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert machine.asked == [cell.step for cell in CELLS]
    assert [row["n"] for kind in grid.KEYS for row in found[kind]] == [c.replays for c in CELLS]
    assert len(lines) == len(CELLS)
    assert lines[-1].endswith("; 0 s left")


def test_a_line_has_time_floor_share_and_speed(tmp_path: Path) -> None:
    cell = Cell("decode", Step(1, 1, 127), 30)
    (line,) = run(tmp_path / "shard.json", Machine(), [cell])
    # (17.378 GB + 128 x 81,920 B - 50 MB) / 4 TB/s; 35 GFLOP and some in twice that.
    assert line.startswith(
        "1/1 decode batch=1 context=128: 8.669 ms, 4.335 by memory alone (50%), 4 TFLOP/s"
    )


def test_a_run_goes_on_where_one_was_stopped(tmp_path: Path) -> None:
    path, once = tmp_path / "shard.json", tmp_path / "once.json"
    run(path, Machine(), CELLS[3:5])
    rest = Machine()
    run(path, rest)
    assert rest.asked == [cell.step for cell in (*CELLS[:3], *CELLS[5:])]
    assert run(path, Machine()) == []
    run(once, Machine())
    resumed, whole = (json.loads(file.read_text(encoding="utf-8")) for file in (path, once))
    assert resumed | {"seconds": 0} == whole | {"seconds": 0}


def test_a_cell_that_does_not_fit_is_left_out_with_a_line(tmp_path: Path) -> None:
    path = tmp_path / "shard.json"
    lines = run(path, Machine(room=1e9))
    found = json.loads(path.read_text(encoding="utf-8"))
    left_out = [cell for cell in CELLS if kv_bytes(MODEL.shape, cell.step) > 1e9]
    assert 0 < len(left_out) < len(CELLS)
    assert sum("left out, it does not fit into memory" in line for line in lines) == len(left_out)
    assert sum(len(found[kind]) for kind in grid.KEYS) == len(CELLS) - len(left_out)


def test_a_cell_that_beats_memory_is_refused_and_what_was_kept_stays(tmp_path: Path) -> None:
    path = tmp_path / "shard.json"
    run(path, Machine(), CELLS[:2])
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"decode batch=64 context=128: .+ is less than the .+ ms"):
        run(path, Machine(ratio=0.99), CELLS[:3])
    assert path.read_bytes() == before
