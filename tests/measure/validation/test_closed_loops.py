"""Closed loops and conservation: the suite's checks on small runs, and that they can fail."""

from typing import Any

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.config.settings import load_scenario, load_settings
from anarchy.measure.validation import closed_loops, conservation
from anarchy.measure.validation.closed_loops import check_knees, check_network, check_response_times
from anarchy.measure.validation.conservation import check_conservation
from anarchy.measure.validation.suite import GROUPS, OPEN_QUEUES, check_group, effort
from anarchy.serving.service_times.lookup import load_latency

SCENARIO = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
SCENARIOS = {"70b-1p2d": SCENARIO}
TABLES = {"70b-1p2d": load_latency(paths.ROOT / paths.LATENCY, SCENARIO.model.latency)}


def test_network_agrees_with_mean_value_analysis() -> None:
    rows = check_network(seed=2, effort=0.05)
    assert [row["load"] for row in rows] == list(closed_loops.LOADS)
    assert all(row["p"] > 1e-3 for row in rows)


def test_a_network_with_other_think_times_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = closed_loops.mva
    monkeypatch.setattr(closed_loops, "mva", lambda d, n, z: exact(d, n, z * 11 // 10))
    rows = check_network(seed=2, effort=0.05)
    assert min(row["p"] for row in rows) < 1e-6


def test_response_times_and_knees_of_one_topology() -> None:
    rows = check_response_times(SCENARIOS, TABLES, seed=1)
    rows += check_knees(SCENARIOS, TABLES, 1, (48,), (0.05,))
    assert [row["holds"] for row in rows] == [True] * (len(closed_loops.CLIENTS) + 1)


def test_everything_is_conserved() -> None:
    rows = check_conservation(seed=1, effort=0.05)
    counted = [row for row in rows if row["p"] is None]
    assert [row["id"] for row in counted if not row["holds"]] == []
    (little,) = [row for row in rows if row["p"] is not None]
    assert little["p"] > 1e-3


def test_the_trace_fills_the_caches() -> None:
    """Without eviction and reuse the counts would be trivial."""
    data = conservation._trace(1)
    shared = {block for blocks in data.blocks for block in blocks}
    assert len(shared) * conservation.BLOCK > 10 * conservation.CAPACITY
    assert sum(map(len, data.blocks)) > len(shared)


@pytest.mark.parametrize(
    ("column", "change", "failing"),
    [
        ("prompt", lambda c: np.where(c == 5, 6, c), {"lost", "twice"}),
        ("done", lambda c: c - 1e3, {"clock"}),
        ("cached_tokens", lambda c: c + 1, {"prompt-tokens"}),
    ],
)
def test_a_faulty_log_is_found(
    column: str, change: Any, failing: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = conservation.simulate

    def faulty(*args: Any, **options: Any) -> Any:
        run = real(*args, **options)
        object.__setattr__(run.log, column, change(getattr(run.log, column)))
        return run

    monkeypatch.setattr(conservation, "simulate", faulty)
    name, given = next(iter(conservation._scenarios().items()))
    rows = conservation._check_run(name, given, seed=1)
    prefix = f"conservation-{name}-"
    assert {row["id"].removeprefix(prefix) for row in rows if not row["holds"]} == failing


def test_groups_of_the_suite() -> None:
    rows = check_group("closed-loops", 1, 0.01, SCENARIOS, TABLES)
    groups = {row["group"] for row in rows}
    assert groups == {"mva", "closed-loops", "knees", "conservation"}
    assert len({row["id"] for row in rows}) == len(rows)
    assert set(OPEN_QUEUES) < set(GROUPS)


def test_effort_of_the_committed_settings() -> None:
    config = paths.ROOT / "config"
    full, quick, tiny = (
        effort(load_settings(config / "config.yaml", overlay))
        for overlay in (None, config / "quick.yaml", config / "tiny.yaml")
    )
    assert full == 1.0
    assert tiny < quick < 0.2
