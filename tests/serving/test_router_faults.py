"""Workers whose load a router never learns, and decode caches of unequal size."""

import re

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate
from tests.serving.conftest import changed

PER_REQUEST = {"router__tracking__active_blocks": "per-request", "topology__decode": 4}


def placed(scenario: Scenario) -> list[int]:
    """Requests of each decode worker."""
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    run = simulate(scenario, latency, seed=1, requests=200, warmup_cycles=0)
    return np.bincount(run.log.decode_worker, minlength=scenario.topology.decode).tolist()


def test_a_worker_that_is_overlooked_gets_all_that_others_have_some_of(published: Scenario) -> None:
    known = placed(changed(published, workload__clients=32, **PER_REQUEST))
    assert max(known) < 60
    scenario = changed(
        published, workload__clients=32, router__tracking__overlooked=1, **PER_REQUEST
    )
    first, *others = placed(scenario)
    # Another one gets a request only when it has none, and then costs the same.
    assert first > 150
    assert max(others) < 25


def test_a_worker_without_room_is_used_only_when_the_credit_is_used_up(published: Scenario) -> None:
    values = {
        **PER_REQUEST,
        "workload__clients": 12,
        "workload__templates": 1,
        "router__decode_overlap": True,
        "router__overlap_weight": 5.0,
        "router__ties": "random",
    }
    pinned = placed(changed(published, topology__decode_cache=[10**6, 0, 0, 0], **values))
    caching = placed(changed(published, **values))
    # The favourite has up to five requests more than each other: 6 or 7 of 12, the others 2 or so.
    assert pinned[0] > 2 * max(pinned[1:])
    assert max(pinned) > max(caching)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"topology__decode_cache": [1]}, "decode_cache has 1 entries, topology.decode is 2"),
        (
            {"topology__decode_cache": [1, 1], "engine__memory__paged": True},
            "'topology.decode_cache' needs 'engine.memory.paged': false",
        ),
        ({"router__tracking__overlooked": -1}, "overlooked: .* greater than or equal to 0"),
    ],
)
def test_what_makes_no_sense_is_refused(
    published: Scenario, values: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message if ".*" in message else re.escape(message)):
        changed(published, **values)
