"""Attainment and goodput of hand-made runs, their laws, and a scenario with two tenants."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.config.settings import load_scenario
from anarchy.config.workload import Slo, Tenant
from anarchy.measure.measures import Deployment, get_measure
from anarchy.measure.slo import OBJECTIVES, attainment, goodput, has_objective
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate


def tenant(name: str, **slo: float) -> Tenant:
    return Tenant(name=name, share=1, input_tokens=1, output_tokens=1, slo=Slo(**slo))


CHAT = tenant("chat", ttft=2, itl=0.5)
BATCH = tenant("batch", ttft=4)
FREE = tenant("free")


@pytest.fixture(scope="module")
def run(make_run):
    """Requests of chat, chat, chat, batch, batch, free and, in the warm-up, chat; 10 seconds."""
    arrival = np.arange(7.0)
    return make_run(
        7,
        tenant=[0, 0, 0, 1, 1, 2, 0],
        first_token=arrival + np.array([1, 2, 3, 4, 5, 9, 9]),
        decode_start=arrival,
        done=arrival + np.array([1.0, 1.2, 0.5, 9.0, 9.0, 9.0, 9.0]),
        output_tokens=2,  # so that the first ones take 0.5, 0.6 and 0.25 each
        measured=np.arange(7) < 6,
        end=10.0,
    )


TENANTS = [CHAT, BATCH, FREE]


def test_an_objective_is_met_up_to_its_bound_by_those_who_have_one(run):
    assert attainment(run, TENANTS, ["ttft"]) == (2 + 1) / 5
    assert attainment(run, TENANTS, ["itl"]) == 2 / 3
    assert attainment(run, TENANTS) == (1 + 1) / 5, "both, where there are both"


def test_goodput_counts_who_has_no_objective(run):
    assert goodput(run, TENANTS) == (1 + 1 + 1) / 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("slo-attainment", 2 / 5),
        ("ttft-attainment", 3 / 5),
        ("itl-attainment", 2 / 3),
        ("goodput", 3 / 10),
        ("slo-attainment:chat", 1 / 3),
        ("ttft-attainment:chat", 2 / 3),
        ("ttft-attainment:batch", 1 / 2),
        ("goodput:batch", 1 / 10),
        ("requests:chat", 3),
        ("throughput:free", 1 / 10),
        ("ttft-mean:batch", 4.5),
    ],
)
def test_measures_of_all_and_of_one_tenant(run, name, value):
    measure = get_measure(name, {}, TENANTS)
    assert measure.name == name
    assert measure.compute(run, Deployment(lambda batch, context: 0.0, TENANTS)) == value


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("goodput:fre", "did you mean 'goodput:free'"),
        ("busiest:chat", "unknown measure"),
        ("goodput:free", "set slo.ttft or slo.itl of a tenant in workload.tenants"),
        ("itl-attainment:batch", "have no such objective; set slo.itl"),
    ],
)
def test_what_no_tenant_can_be_asked_is_refused(name, message):
    with pytest.raises(InputError, match=message):
        get_measure(name, {}, TENANTS)


@pytest.mark.parametrize("name", ["slo-attainment", "ttft-attainment", "itl-attainment", "goodput"])
def test_without_objectives_there_is_nothing_to_measure(name):
    for tenants in ([], [FREE]):
        with pytest.raises(InputError, match=f"measure '{name}': .*no such objective"):
            get_measure(name, {}, tenants)


def test_has_objective():
    assert has_objective([FREE, BATCH], ["ttft"])
    assert not has_objective([FREE, BATCH], ["itl"])
    assert has_objective([FREE, BATCH], OBJECTIVES)


def test_nothing_measured_nothing_attained(make_run):
    empty = make_run(3, tenant=0, measured=np.zeros(3, dtype=bool))
    assert attainment(empty, [CHAT]) is None
    assert goodput(empty, [CHAT]) == 0
    assert goodput(make_run(3, tenant=0, start=1.0, end=1.0), [CHAT]) is None


limits = st.none() | st.floats(0.1, 3)


@given(st.integers(0, 2**32 - 1), st.lists(st.tuples(limits, limits), min_size=1, max_size=3))
def test_laws_of_attainment_and_goodput(make_run, seed, slos):
    rng = np.random.default_rng(seed)
    n = 40
    arrival = np.arange(n, dtype=float)
    run = make_run(
        n,
        tenant=rng.integers(len(slos), size=n),
        first_token=arrival + rng.exponential(size=n),
        decode_start=arrival,
        done=arrival + rng.exponential(size=n),
    )
    tenants = [
        tenant(f"t{k}", **{key: v for key, v in zip(OBJECTIVES, slo, strict=True) if v is not None})
        for k, slo in enumerate(slos)
    ]
    good = goodput(run, tenants)
    assert 0 <= good <= n / (run.end - run.start)
    parts = [
        get_measure(f"goodput:{t.name}", {}, tenants).compute(
            run, Deployment(lambda batch, context: 0.0, tenants)
        )
        for t in tenants
        if has_objective([t], OBJECTIVES)
    ]
    free = sum(not has_objective([tenants[k]], OBJECTIVES) for k in run.log.tenant)
    assert sum(parts) + free / (run.end - run.start) == pytest.approx(good)
    every = attainment(run, tenants)
    if every is None:
        assert free == n
    else:
        assert every * (n - free) + free == pytest.approx(good * (run.end - run.start))
    single = [found for p in OBJECTIVES if (found := attainment(run, tenants, [p])) is not None]
    if len(slos) == 1 and every is not None:
        assert every <= min(single), "both objectives are met by no more than each"


def two_tenants() -> Scenario:
    return load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d-tenants")


def test_two_tenants_of_a_scenario():
    scenario = two_tenants()
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    run = simulate(scenario, latency, seed=1, requests=1000)
    deployment = Deployment(latency.itl, scenario.tenants)

    def value(name: str) -> float:
        found = get_measure(name, {}, scenario.tenants).compute(run, deployment)
        assert found is not None
        return found

    for name in ("requests", "goodput", "throughput"):
        assert value(f"{name}:chat") + value(f"{name}:documents") == pytest.approx(value(name))
    assert value("slo-attainment") * value("throughput") == pytest.approx(value("goodput"))
    assert value("requests:chat") / 1000 == pytest.approx(3 / 4, abs=5 * math.sqrt(3 / 16 / 1000))
    assert 0 < value("slo-attainment:chat") < value("slo-attainment:documents") <= 1
    theirs = run.log.tenant == 1
    assert (run.log.input_tokens[theirs] == 4096).all()
    assert (run.log.input_tokens[~theirs] == 128).all()
