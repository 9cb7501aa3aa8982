"""The optima of small instances, which take a second each: found once for all tests of them."""

from collections.abc import Callable
from typing import Any

import pytest

Optimum = Callable[[str], tuple[float, ...]]


@pytest.fixture(scope="session")
def optimum(once: Callable[[str, Callable[[], Any]], Any]) -> Optimum:
    """The best value of each criterion over all assignments, by the name of the instance."""
    from tests.measure.bracket.test_exhaustive import best_of_all

    return lambda name: once(f"optimum of {name}", lambda: best_of_all(name))
