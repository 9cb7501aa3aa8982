"""Measured tables: made of the committed cells byte for byte, and near every one of them."""

import json

import pytest

from anarchy.common.errors import InputError
from anarchy.common.paths import LATENCY, REFERENCE, ROOT
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.service_times.measured import read_shard, tabulate
from anarchy.serving.service_times.provenance import Measurement
from anarchy.serving.service_times.table_files import load_table, table_text
from scripts import tabulate_latency

SHARDS = {path.stem: path for path in sorted((ROOT / REFERENCE / "silicon").glob("*.json"))}
FOLDER = ROOT / LATENCY
MICROSECOND = 1e-6


def test_every_measured_table_has_its_cells():
    tables = {path.stem.removesuffix("-measured") for path in FOLDER.glob("*-measured.json")}
    assert tables == set(SHARDS)
    assert len(SHARDS) == 4


@pytest.mark.parametrize("name", SHARDS)
def test_the_table_is_that_of_its_cells_byte_for_byte(name):
    committed = (FOLDER / f"{name}-measured.json").read_text()
    assert table_text(tabulate(SHARDS[name], ROOT)) == committed


@pytest.mark.parametrize("name", SHARDS)
def test_the_look_up_is_near_every_measured_cell(name):
    shard, latency = read_shard(SHARDS[name]), load_latency(FOLDER, f"{name}-measured")
    told = latency.table.provenance
    assert isinstance(told, Measurement)
    off_line = off_cached = 0.0
    for cell in shard.decode:
        off_line = max(off_line, abs(latency.itl(cell.batch, cell.context) / cell.ms * 1000 - 1))
    for cell in shard.prefill:
        step = cell.prompts * cell.tokens, cell.prompts, cell.prompts * cell.cached
        if cell.cached:
            off_cached = max(off_cached, abs(latency.prefill(*step) / cell.ms * 1000 - 1))
        else:
            assert latency.prefill(*step) == pytest.approx(cell.ms / 1000, abs=MICROSECOND)
    assert off_line == pytest.approx(told.residual_itl, rel=0.03)
    assert off_cached == pytest.approx(told.residual_cached, rel=0.03)
    assert told.cells == len(shard.decode) + len(shard.prefill)


@pytest.mark.parametrize("name", SHARDS)
def test_a_layer_reduces_twice(name):
    shard = read_shard(SHARDS[name])
    assert load_table(FOLDER, f"{name}-measured").all_reduces == 2 * shard.shape.layers


@pytest.fixture
def cells():
    return json.loads(next(iter(SHARDS.values())).read_text())


def made(folder, cells):
    path = folder / "shard.json"
    path.write_text(json.dumps(cells))
    return tabulate(path, folder)


def test_one_gpu_reduces_nothing(tmp_path, cells):
    cells["shape"]["tp"] = 1
    cells["driver"] = "580.0"  # scripts/measure_latency.py says that, too
    assert made(tmp_path, cells).all_reduces == 0


def test_only_what_was_measured_becomes_an_axis(tmp_path, cells):
    cells["prefill"] = [c for c in cells["prefill"] if c["prompts"] == 1 and not c["cached"]]
    prefill = made(tmp_path, cells).prefill
    assert prefill.batched is None
    assert prefill.cached is None


def test_a_line_meets_cells_that_lie_on_one(tmp_path, cells):
    for cell in cells["decode"]:
        cell["ms"] = 5 + 0.1 * cell["batch"] + 1e-5 * cell["batch"] * cell["context"]
    table = made(tmp_path, cells)
    assert isinstance(table.provenance, Measurement)
    assert table.provenance.residual_itl == 0
    assert Latency(table).itl(32, 3000) == pytest.approx(5e-3 + 3.2e-3 + 0.96e-3, abs=1e-6)


def test_cells_that_make_no_line_are_refused(tmp_path, cells):
    cells["decode"] = [c for c in cells["decode"] if c["batch"] > 1 or c["context"] == 128]
    with pytest.raises(InputError, match=r"shard\.json: decode: fewer than two contexts are"):
        made(tmp_path, cells)


def test_a_bad_cell_is_named(tmp_path, cells):
    cells["prefill"][3]["ms"] = -1.0
    with pytest.raises(InputError, match=r"shard\.json: prefill\.3\.ms: .* greater than 0"):
        made(tmp_path, cells)


@pytest.mark.parametrize(("argument", "code"), [("--check", 0), ("nothing-known", 2)])
def test_the_script_checks(monkeypatch, capsys, argument, code):
    monkeypatch.setattr("sys.argv", ["tabulate_latency.py", argument])
    if code:
        with pytest.raises(SystemExit) as left:
            tabulate_latency.main()
        assert left.value.code == code
        assert "allowed: llama31-70b-fp8-tp4-h100" in capsys.readouterr().err
    else:
        assert tabulate_latency.main() == 0
        assert capsys.readouterr().out.count(": reproduced") == len(SHARDS)
