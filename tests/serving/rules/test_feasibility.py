"""Whether a run can begin and end: the lines that say why not."""

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.settings import load_scenario
from anarchy.serving.rules import feasibility
from anarchy.workload.demand import Demand, Extent
from tests.serving.conftest import changed

PUBLISHED = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")


def demand(largest: tuple[int, int], block_tokens: int = 512) -> Demand:
    return Demand(Extent(0, 10), block_tokens, largest, np.empty(0), iter(()))


def test_memory_holds_whole_blocks_and_the_largest_request() -> None:
    scenario = changed(
        PUBLISHED, engine__cache__block_tokens=64, engine__cache__capacity_tokens=1000
    )
    assert feasibility.blocks_of_memory(scenario, demand((900, 60))) == 15
    with pytest.raises(InputError, match=r"a request of 900 prompt and 61 output tokens needs 16"):
        feasibility.blocks_of_memory(scenario, demand((900, 61)))
    with pytest.raises(InputError, match=r"block_tokens: 64 does not divide the 100 tokens"):
        feasibility.blocks_of_memory(scenario, demand((1, 1), 100))


def test_a_backlog_is_too_long_above_the_limit_only() -> None:
    most = feasibility.MOST_REQUESTS
    feasibility.check_backlog(most + 7, 7, 10)
    with pytest.raises(InputError, match=r"more than 1,000,000 requests wait or run after 7 of 10"):
        feasibility.check_backlog(most + 8, 7, 10)
