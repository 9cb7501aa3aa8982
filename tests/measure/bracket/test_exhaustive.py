"""The bracket holds the optimum of small instances, which trying every assignment gives.

Instances differ in what may be chosen (prefill, decode or both), in arrivals, lengths, batching and
speeds. The optimum of each criterion is found by the reference simulator alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.measure.bracket.criteria import CRITERIA
from anarchy.measure.bracket.run_bracket import bracket
from anarchy.serving.log.request_log import Ints, RequestLog
from anarchy.serving.rules.plan import NO_PLAN
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.table import LatencyTable
from anarchy.serving.service_times.table_files import load_table
from anarchy.serving.simulate import simulate
from anarchy.workload.traces import TraceData
from tests.measure.bracket.conftest import Optimum

SEED = 7
ROUNDING = 1 + 1e-9
TIGHT = 1.05


def latency(tokens_cost: float, batch_cost: float) -> Latency:
    """Prefill in 10 ms and so much a token; decode steps of 10 ms and so much a sequence."""
    table = load_table(paths.ROOT / paths.LATENCY, "fixed-100ms-8ms").model_dump()
    table["prefill"]["tokens"] = [1, 101, 1001]
    table["prefill"]["seconds"] = [0.01 + tokens_cost * t for t in (1, 101, 1001)]
    table["itl"]["batch"] = [1, 2, 12]
    table["itl"]["seconds"] = [[0.01 + batch_cost * b for b in (0, 1, 11)]]
    return Latency(LatencyTable.model_validate(table))


@dataclass(frozen=True)
class Instance:
    """A few requests, of which some may be sent and not done, and the service times."""

    scenario: Scenario
    latency: Latency
    requests: int
    sent: int
    trace: TraceData | None = None

    def log(self, policy: str = "kv", plan: Ints = NO_PLAN) -> RequestLog:
        scenario = self.scenario
        if policy != scenario.router.policy:
            scenario = with_fields(scenario, {"router.policy": policy}, "test")
        return simulate(
            scenario,
            self.latency,
            seed=SEED,
            requests=self.requests,
            warmup_cycles=0,
            trace=self.trace,
            plan=plan,
            simulator="reference",
        ).log


def trace(gap: float, inputs: list[int], outputs: list[int]) -> TraceData:
    count = len(inputs)
    blocks: list[tuple[int, ...]] = [()] * count
    return TraceData(np.arange(count) * gap, np.array(inputs), np.array(outputs), blocks, None)


def open_instance(prefill: int, decode: int, arrivals: TraceData, **fields: Any) -> Instance:
    changed = {"workload": {"kind": "trace", "trace": "none"}} | _plain(prefill, decode, fields)
    count = len(arrivals)
    return Instance(_scenario(changed), latency(2e-4, 4e-3), count, count, arrivals)


def closed_instance(clients: int, requests: int, **fields: Any) -> Instance:
    defaults = {"engine__cache__enabled": False}  # or the first prompts cost more than the others
    changed = _plain(1, 2, defaults | fields) | {"workload.clients": clients}
    sent = requests + clients - 1
    return Instance(_scenario(changed), latency(2e-4, 4e-3), requests, sent)


def _plain(prefill: int, decode: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    topology = {"topology.prefill": prefill, "topology.decode": decode}
    return topology | {name.replace("__", "."): value for name, value in fields.items()}


def _scenario(changed: Mapping[str, Any]) -> Scenario:
    whole = {k: v for k, v in changed.items() if k == "workload"}
    base = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")
    rest = {k: v for k, v in changed.items() if k != "workload"}
    return with_fields(with_fields(base, whole, "test"), rest, "test")


SHORT = [100, 300, 50, 900, 100, 100, 400]
INSTANCES = {
    "one prefill worker, all at once": open_instance(1, 2, trace(0.0, SHORT, [20] * 7)),
    "sparse arrivals": open_instance(1, 2, trace(1.0, SHORT[:4], [5, 9, 2, 7])),
    "two prefill workers": open_instance(2, 1, trace(0.01, SHORT, [3] * 7)),
    "two and two": open_instance(2, 2, trace(0.02, SHORT[:4], [30, 3, 12, 3])),
    "two equal prompts at a time": open_instance(2, 1, trace(0.0, [100] * 8, [1] * 8)),
    "unequal prefill workers": open_instance(
        2, 1, trace(0.005, SHORT, [3] * 7), topology__prefill_speed=[1.0, 3.0]
    ),
    "prompts in batches": open_instance(
        2, 1, trace(0.0, SHORT, [3] * 7), engine__prefill__batch_requests=3
    ),
    "closed loop": closed_instance(3, 6, workload__think_time=0.0),
    "closed loop that thinks": closed_instance(2, 7, workload__think_time=0.05),
    "saturated prefill": closed_instance(4, 5, workload__output_tokens=2),
    "random lengths": closed_instance(
        3, 6, workload__output_lengths={"kind": "geometric", "mean_tokens": 20}
    ),
    "first token in decode": closed_instance(3, 6, engine__first_token="decode-step"),
    "cached prompts": closed_instance(3, 6, engine__cache__enabled=True),
    "one slot": closed_instance(3, 6, engine__decode__slots=1, workload__output_tokens=5),
    "unequal decode workers": closed_instance(3, 6, topology__decode_speed=[1.0, 2.5]),
    "one client": closed_instance(1, 8, workload__think_time=0.0),
}


def best_of_all(name: str) -> tuple[float, ...]:
    """The best value of each criterion over all assignments."""
    instance, values = INSTANCES[name], []
    topology, requests = instance.scenario.topology, instance.sent
    pools = [topology.prefill, topology.decode]
    for workers in product(*(range(size) for size in pools for _ in range(requests))):
        log = instance.log(plan=np.array(workers).reshape(len(pools), requests).T)
        values.append([criterion.value(log) for criterion in CRITERIA])
    columns = zip(CRITERIA, np.array(values).T, strict=True)
    return tuple(float(c.min() if o.is_cost else c.max()) for o, c in columns)


@cache
def brackets(name: str) -> list[list[dict[str, Any]]]:
    """The brackets of the runs of a few routers, each with the others for schedules."""
    instance = INSTANCES[name]
    logs = [instance.log(policy) for policy in ("kv", "round-robin", "random")]
    known = {"seed": SEED, "schedules": logs, "trace": instance.trace}
    return [bracket(log, instance.scenario, instance.latency, **known) for log in logs]


@pytest.mark.parametrize("name", INSTANCES)
def test_the_bracket_holds_the_loss(name: str, optimum: Optimum) -> None:
    best = optimum(name)
    for rows in brackets(name):
        for row, criterion, optimal in zip(rows, CRITERIA, best, strict=True):
            loss = criterion.loss(row["value"], optimal)
            assert 1 <= row["lo"] <= loss * ROUNDING, row
            assert loss <= row["hi"] * ROUNDING, (row, optimal)


def gap(name: str, optimum: Optimum) -> list[float]:
    """How far each bound is from the optimum, as a factor of at least 1."""
    rows = brackets(name)[0]
    best = zip(rows, CRITERIA, optimum(name), strict=True)
    return [criterion.loss(optimal, row["bound"]) for row, criterion, optimal in best]


@pytest.mark.parametrize("kind", ["open", "closed"])
def test_a_bound_that_is_5_percent_too_high_is_caught(kind: str, optimum: Optimum) -> None:
    """Some instance has its optimum nearer to each of the bounds than that."""
    names = [n for n, i in INSTANCES.items() if (i.trace is None) == (kind == "closed")]
    gaps = np.array([gap(name, optimum) for name in names])
    assert (gaps.min(axis=0) < TIGHT).all(), gaps
