"""Rows that come piece by piece are those that come at once, in memory, in a file, in figures."""

from pathlib import Path

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.serving.log import request_log as logs
from anarchy.serving.log.request_log import RequestLog, log_writer, read_log, write_log
from anarchy.serving.log.sinks import Memory
from anarchy.serving.log.summary import Summary
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import Runnable, Simulator, prepare

PUBLISHED = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
LATENCY = load_latency(paths.ROOT / paths.LATENCY, PUBLISHED.model.latency)
TIERED = with_fields(
    PUBLISHED,
    {
        "engine.cache.capacity_tokens": 512,
        "engine.cache.host": {"capacity_tokens": 1024, "bandwidth": 1e10, "latency": 0.0},
    },
    "test",
)


def assert_same(one: RequestLog, other: RequestLog) -> None:
    assert list(one.columns()) == list(other.columns())
    for name, values in one.columns().items():
        again = getattr(other, name)
        assert values.dtype == again.dtype
        assert values.tobytes() == again.tobytes(), name


class Pieces:
    """Writes rows as they come, and counts how often they do."""

    def __init__(self, writer: logs.LogWriter) -> None:
        self.count = 0
        self._writer = writer

    def take(self, log: RequestLog, _: object) -> None:
        self.count += 1
        self._writer.write(log)


@pytest.mark.parametrize("scenario", [PUBLISHED, TIERED], ids=["published", "tiered"])
def test_a_streamed_file_is_the_log_in_memory(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "ROW_GROUP", 5000)
    system = prepare(scenario, LATENCY, seed=2, requests=30_000, simulator="compiled")
    with log_writer(tmp_path / "streamed.parquet") as writer:
        pieces = Pieces(writer)
        system.stream(pieces)
    assert pieces.count > 3
    run = prepare(scenario, LATENCY, seed=2, requests=30_000, simulator="compiled").run()
    assert_same(read_log(tmp_path / "streamed.parquet"), run.log)
    write_log(tmp_path / "whole.parquet", run.log)
    streamed, whole = (tmp_path / f"{name}.parquet" for name in ("streamed", "whole"))
    assert streamed.read_bytes() == whole.read_bytes(), "the bytes do not depend on the pieces"


def test_a_run_that_fails_leaves_no_file(tmp_path: Path) -> None:
    run = prepare(PUBLISHED, LATENCY, seed=1, requests=20).run()

    def stop_half_way() -> None:
        with log_writer(tmp_path / "log.parquet") as writer:
            writer.write(run.log)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_half_way()
    assert list(tmp_path.iterdir()) == []


def test_figures_are_exact_however_the_rows_come() -> None:
    system = prepare(PUBLISHED, LATENCY, seed=2, requests=30_000, simulator="compiled", costs=False)
    summary = Summary()
    totals = system.stream(summary)
    figures = summary.figures(totals["end"] - totals["start"], 1.0)
    run = prepare(PUBLISHED, LATENCY, seed=2, requests=30_000, simulator="compiled").run()
    log = run.log.select(run.measured)
    assert figures == {
        "requests": 30_000,
        "mean_ttft": log.ttft.mean(),
        "p50_ttft": np.percentile(log.ttft, 50),
        "p99_ttft": np.percentile(log.ttft, 99),
        "mean_itl": log.itl.mean(),
        "mean_e2e": log.e2e.mean(),
        "throughput": 30_000 / (run.end - run.start),
        "prefix_reuse": log.cached_tokens.sum() / log.input_tokens.sum(),
        "requests_per_wall_second": len(run.log),
    }


def test_without_costs_everything_else_is_the_same() -> None:
    with_costs, without = (
        prepare(PUBLISHED, LATENCY, seed=2, requests=500, simulator="compiled", costs=costs).run()
        for costs in (True, False)
    )
    assert without.log.decode_cost.shape == (len(without.log), 0)
    for name, values in with_costs.log.columns().items():
        if name not in ("prefill_cost", "decode_cost", "decode_active"):
            np.testing.assert_array_equal(values, getattr(without.log, name), err_msg=name)


@pytest.mark.parametrize("simulator", ["compiled", "reference"])
def test_rows_taken_are_those_of_the_run(simulator: Simulator) -> None:
    def system() -> Runnable:
        return prepare(PUBLISHED, LATENCY, seed=1, requests=80, simulator=simulator)

    memory = Memory()
    totals = system().stream(memory)
    run = system().run()
    assert_same(memory.log(), run.log)
    assert memory.measured().tolist() == run.measured.tolist()
    assert (totals["start"], totals["end"]) == (run.start, run.end)
