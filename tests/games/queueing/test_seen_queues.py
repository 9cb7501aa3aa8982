"""Routers that see two queues: against queues of the textbooks."""

import pytest

from anarchy.common.errors import InputError
from anarchy.games.queueing.seen_queues import least_cost, rule_cost


def test_a_router_that_always_takes_the_first_server_leaves_one_queue() -> None:
    """M/M/1 at load one half holds one request on average."""
    found = rule_cost((2, 1), 1, lambda held, rate: 0 * held + (rate == 1))
    assert found == pytest.approx(1, rel=1e-6)


def test_ties_are_drawn() -> None:
    """Two equal servers and no preference: each is M/M/1 at load one half."""
    assert rule_cost((1, 1), 1, lambda held, rate: 0 * held) == pytest.approx(2, rel=1e-6)


def test_the_shorter_of_two_equal_queues_is_best() -> None:
    """Winston (1977)."""
    shortest = rule_cost((1, 1), 1.2, lambda held, rate: held)
    assert least_cost((1, 1), 1.2) == pytest.approx(shortest, rel=1e-8)


def test_no_router_beats_one_server_of_both_rates() -> None:
    assert least_cost((3, 1), 2) > 2 / (4 - 2)


def test_a_load_that_the_cut_off_would_spoil_is_refused() -> None:
    with pytest.raises(InputError, match="demand"):
        least_cost((1, 1), 1.9)
