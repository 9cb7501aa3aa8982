"""The rows of the theorems, which take seconds: made once for all tests of them."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from anarchy.games.theorems.checks import Row

RowsOf = Callable[[ModuleType], list[Row]]


@pytest.fixture(scope="session")
def rows_of(once: Callable[[str, Callable[[], Any]], Any]) -> RowsOf:
    """All checks of a module, at full size."""
    return lambda module: list(once(module.__name__, module.check_rows))
