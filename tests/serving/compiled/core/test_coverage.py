"""The kernel is taken for what it has, and for nothing else."""

import numpy as np
import pytest

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.serving.compiled.core.coverage import MOST_PLACES, lacking, shared_places
from anarchy.serving.simulate import lacking_mechanism, takes_compiled
from anarchy.workload.traces import TraceData
from tests.serving.conftest import changed


def test_the_published_deployments_lack_nothing(published: Scenario) -> None:
    assert lacking(published) is None
    assert takes_compiled(published, "auto")
    assert takes_compiled(published, "compiled")
    assert not takes_compiled(published, "reference")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("router.policy", "clairvoyant"),
        ("engine.handoff.link", "fair"),
        ("engine.cache.eviction", "frequency"),
        ("planner.rule", "load"),
    ],
)
def test_what_is_lacking_is_named(published: Scenario, field: str, value: str) -> None:
    scenario = changed(published, **{field.replace(".", "__"): value})
    assert lacking_mechanism(scenario) == f"{field} '{value}'"
    assert not takes_compiled(scenario, "auto")
    with pytest.raises(InputError, match=field):
        takes_compiled(scenario, "compiled")


def test_a_long_trace_on_very_many_workers_runs_on_the_reference(published: Scenario) -> None:
    blocks = [tuple(range(1000))] * 70
    ones = np.ones(70, np.int64)
    trace = TraceData(np.zeros(70), 512_000 * ones, ones, blocks, 512)
    few = changed(published, hardware__gpus=8000, topology__prefill=900)
    many = changed(published, hardware__gpus=8000, topology__prefill=999)
    assert shared_places(few, trace) < MOST_PLACES < shared_places(many, trace)
    assert takes_compiled(few, "auto", trace)
    assert not takes_compiled(many, "auto", trace)
