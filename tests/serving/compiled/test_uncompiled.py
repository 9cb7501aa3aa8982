"""The kernel is Python: uncompiled, as in a debugger, it gives the same log."""

import os
import subprocess
import sys

from anarchy.common import paths

SCRIPT = """
import numpy as np
from anarchy.common import paths
from anarchy.config.scenario import with_fields
from anarchy.config.settings import load_scenario
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate

late = {"replicas": 2, "event_lag": 0.01, "cache_lag": 0.01, "active_blocks": "distinct",
        "generated_blocks": True}
plain = {"router.policy": "kv-1.6", "router.decode_overlap": True, "router.tracking": late}
paged = {"engine.memory": {"paged": True}, "engine.cache.capacity_tokens": 40_000}
for name, changes in {
    "70b-1p2d": {"workload.clients": 8},
    "mooncake-8p8d": {**plain, "workload": {"kind": "poisson", "rate": 30.0, "templates": 9,
                      "input_tokens": 900, "output_tokens": 9}, "assumptions": {}},
    "70b-1p5d": {**paged, "workload.clients": 8},
}.items():
    scenario = with_fields(load_scenario(paths.ROOT / paths.SCENARIOS, name), changes, "test")
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    logs = [simulate(scenario, latency, seed=1, requests=60, simulator=which).log
            for which in ("reference", "compiled")]
    assert len(logs[0]) >= 60
    for column, values in logs[0].columns().items():
        np.testing.assert_array_equal(values, getattr(logs[1], column), err_msg=column)
    print(name)
"""


def test_uncompiled_runs_give_the_same_log() -> None:
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT],
        env=environment,
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["70b-1p2d", "mooncake-8p8d", "70b-1p5d"]
