"""Local search: it solves the instances on which every assignment can be tried."""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from anarchy.measure.bracket.schedules.local_search import Neighbourhood, explored
from anarchy.serving.log.request_log import Floats, Ints, RequestLog
from anarchy.serving.rules.plan import POLICY
from tests.measure.bracket.conftest import Optimum
from tests.measure.bracket.test_exhaustive import INSTANCES, brackets

REPLAYS = 200


def end_to_end(log: RequestLog) -> Floats:
    return log.e2e


def search(name: str, replays: int, seed: int = 1) -> Iterator[RequestLog]:
    instance = INSTANCES[name]
    topology = instance.scenario.topology

    def replay(plan: Ints) -> RequestLog:
        return instance.log(plan=plan)

    near = Neighbourhood(replay, end_to_end, (topology.prefill, topology.decode))
    plan = np.full((instance.sent, 2), POLICY)
    return explored(near, plan, replays, np.random.default_rng(seed))


@pytest.mark.parametrize("name", INSTANCES)
def test_it_finds_the_optimum_and_nothing_below_the_bound(name: str, optimum: Optimum) -> None:
    found, best = math.inf, optimum(name)[0]
    for log in search(name, REPLAYS):
        found = min(found, float(log.e2e.mean()))
        if found <= best * (1 + 1e-9):
            break
    assert found == pytest.approx(best, rel=1e-9)
    assert brackets(name)[0][0]["bound"] <= found * (1 + 1e-9)


@pytest.mark.parametrize("name", ["two and two", "random lengths"])
def test_equal_seeds_find_equal_schedules(name: str) -> None:
    one, same, other = ([log.done.tolist() for log in search(name, 30, seed)] for seed in (1, 1, 2))
    assert one == same
    assert one != other


@pytest.mark.parametrize("replays", [0, 1, 2, 5])
def test_no_more_replays_than_it_may(replays: int) -> None:
    assert len([*search("two and two", replays)]) <= replays


def test_where_there_is_no_choice_there_is_no_search() -> None:
    def refuse(_: Ints) -> RequestLog:
        raise AssertionError

    near = Neighbourhood(refuse, end_to_end, (1, 1))
    assert list(explored(near, np.zeros((3, 2), np.int64), 9, np.random.default_rng(1))) == []
