"""Decisions that do not price every worker are those that do."""

import numpy as np
from hypothesis import given, reject
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.serving.compiled.core.compile import compiled
from anarchy.serving.compiled.router import argmin_tree
from anarchy.serving.compiled.run import CompiledSystem
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.table import LatencyTable
from tests.serving.compiled.scenarios import random_runs, scenarios, tables

# As Python can call them.
set_key, least_at = (
    compiled(inner.py_func)  # type: ignore[attr-defined]
    for inner in (argmin_tree.set_key, argmin_tree.least_at)
)


@given(
    workers=st.integers(1, 40),
    changes=st.lists(st.tuples(st.integers(0, 39), st.integers(-2, 3)), max_size=60),
)
def test_the_tree_knows_the_least_and_the_tied(
    workers: int, changes: list[tuple[int, int]]
) -> None:
    tree = argmin_tree.make_tree(workers)
    keys = [0] * workers
    for w, key in changes:
        keys[w % workers] = key
        set_key(tree, w % workers, key)
        tied = [v for v, other in enumerate(keys) if other == min(keys)]
        assert tree[1].tied == len(tied)
        assert [least_at(tree, place) for place in range(len(tied))] == tied


@given(scenario=scenarios(), table=tables(), requests=st.integers(1, 120))
@random_runs
def test_a_run_without_costs_is_the_same_run(
    scenario: Scenario, table: LatencyTable, requests: int
) -> None:
    try:
        logs = [
            CompiledSystem(scenario, Latency(table), 1, 0, requests, 3.0, None, costs).run().log
            for costs in (True, False)
        ]
    except InputError:  # phases that end before any request is done
        reject()
    for name, values in logs[0].columns().items():
        if name in ("prefill_cost", "decode_cost", "decode_active"):
            assert getattr(logs[1], name).shape == (len(logs[1]), 0)
        else:
            np.testing.assert_array_equal(values, getattr(logs[1], name), err_msg=name)
