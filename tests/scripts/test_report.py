"""The file of measurements: quantiles, the format, what is kept and what is refused."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shard import grid
from shard.grid import Cell
from shard.report import Report, summary, text
from shard.shapes import MODELS
from shard.steps import Step

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.serving.service_times.measured import read_shard, tabulate
from tests.scripts.committed import FILES, SHARDS

MODEL = MODELS["llama31-70b-fp8-tp4"]
MADE_BY = {"gpu": "NVIDIA H200", "torch": "2.11.0+cu130", "cuda": "13.0", "driver": "580.1"}
FIRST, LATER = (Cell("decode", Step(batch, 1, 127), 3) for batch in (1, 2))
PREFILL = Cell("prefill", Step(1, 128, 0), 3)
JITTER = Cell("jitter", Step(64, 1, 255), 3)


def report(path: Path, **made_by: str) -> Report:
    return Report(path, MODEL, MADE_BY | made_by, 4.28)


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_quantiles_of_101_times_are_its_hundredths() -> None:
    assert summary([float(ms) for ms in reversed(range(101))]) == {
        "ms": 50.0,
        "p05": 5.0,
        "p95": 95.0,
        "p99": 99.0,
        "min": 0.0,
        "max": 100.0,
        "n": 101,
    }


def test_a_quantile_between_two_times_is_interpolated() -> None:
    found = summary([10.0, 20.0])
    assert (found["p05"], found["ms"], found["p95"]) == (10.5, 15.0, 19.5)


@given(st.lists(st.floats(0.1, 1e4), min_size=2, max_size=40))
def test_quantiles_are_in_order(times: list[float]) -> None:
    found = summary(times)
    names = ["min", "p05", "ms", "p95", "p99", "max"]
    values = [found[name] for name in names]
    assert all(a <= b * (1 + 1e-12) for a, b in itertools.pairwise(values))


def test_the_file_has_the_keys_of_the_measured_ones(tmp_path: Path) -> None:
    path = tmp_path / "shard.json"
    held = report(path)
    for cell in (FIRST, PREFILL, JITTER):
        held.add(cell, [1.0, 2.0, 3.0], 0.5)
    found = read(path)
    times = ["ms", "p05", "p95", "p99", "min", "max", "n"]
    assert [*found] == [
        *["date", "model", "gpu", "torch", "cuda", "driver", "weights_gb", "kv_bytes_per_token"],
        *["shape", "decode", "prefill", "jitter", "copy_tb_s", "seconds"],
    ]
    assert [*found["decode"][0]] == ["batch", "context", *times]
    assert [*found["prefill"][0]] == ["prompts", "tokens", "cached", *times]
    assert [*found["jitter"][0]] == ["batch", "tokens", *times]
    assert [*found["shape"]] == ["layers", "d", "q", "kv", "hd", "ffn", "gated", "vocab", "tp"]
    assert (found["model"], found["weights_gb"]) == ("llama-3.1-70b-tp4", 17.378050048)
    assert (found["kv_bytes_per_token"], found["seconds"]) == (81920, 1.5)


@pytest.mark.parametrize("stem", SHARDS)
def test_a_committed_file_is_written_the_same_way(stem: str) -> None:
    (file,) = (file for file in FILES if file.stem == stem)
    assert text(read(file)) == file.read_text(encoding="utf-8")


def test_the_committed_latency_table_can_be_made_of_a_new_file(tmp_path: Path) -> None:
    (before,) = (file for file in FILES if file.stem == "llama31-70b-fp8-tp4-h200")
    path = tmp_path / before.name
    held = report(path)
    for cell in grid.full():
        for row in read(before)[cell.kind]:
            if cell.keys.items() <= row.items():
                held.add(cell, [row["ms"]] * cell.replays, 1.0)
    shard = read_shard(path)
    assert shard.driver == "580.1"
    assert len(shard.jitter) == 2
    ours, committed = tabulate(path, tmp_path), tabulate(before, paths.ROOT)
    assert (ours.itl, ours.prefill) == (committed.itl, committed.prefill)


def test_cells_of_before_are_kept_and_the_grids_order_with_them(tmp_path: Path) -> None:
    path = tmp_path / "shard.json"
    report(path).add(LATER, [2.0, 2.0], 1.0)
    again = report(path)
    assert again.has(LATER)
    assert not again.has(FIRST)
    again.add(FIRST, [1.0, 1.0], 1.0)
    assert [row["batch"] for row in read(path)["decode"]] == [1, 2]
    assert [row["ms"] for row in read(path)["decode"]] == [1.0, 2.0]
    assert read(path)["seconds"] == 2.0


def test_a_report_starts_empty(tmp_path: Path) -> None:
    held = report(tmp_path / "shard.json")
    assert not any(held.has(cell) for cell in grid.full())
    assert not (tmp_path / "shard.json").exists()


@pytest.mark.parametrize("key", ["gpu", "torch", "cuda", "driver"])
def test_cells_of_two_machines_or_versions_never_share_a_file(tmp_path: Path, key: str) -> None:
    path = tmp_path / "shard.json"
    report(path).add(FIRST, [1.0, 1.0], 1.0)
    before = path.read_bytes()
    with pytest.raises(InputError, match=rf"shard\.json: {key} is '.+', here it is 'another'"):
        report(path, **{key: "another"})
    assert path.read_bytes() == before


def test_a_file_of_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shard.json"
    report(path).add(FIRST, [1.0, 1.0], 1.0)
    with pytest.raises(InputError, match=r"model is 'llama-3\.1-70b-tp4'"):
        Report(path, MODELS["llama31-8b-fp8-tp1"], MADE_BY, 4.28)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "3",
        "{}",
        '{"decode": 1}',
        '{"decode": [], "prefill": [], "jitter": [], "seconds": "1"}',
        '{"decode": [1], "prefill": [], "jitter": [], "seconds": 1}',
        '{"decode": [{"batch": 1}], "prefill": [], "jitter": [], "seconds": 1}',
        '{"decode": [{"batch": 1, "context": "x"}], "prefill": [], "jitter": [], "seconds": 1}',
        '{"decode": [], "prefill": [], "jitter": [], "seconds": 1}',
    ],
)
def test_what_is_no_file_of_measurements_is_refused_and_left_alone(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "shard.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"shard\.json: "):
        report(path)
    assert path.read_text(encoding="utf-8") == text
