"""Settings that all tests share, and which files are begun first."""

import signal

import pytest
from hypothesis import settings

# A shared machine may be slow for a moment: time is for the benchmarks to judge.
settings.register_profile("no-deadline", deadline=None)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile("no-deadline")

# A shell that runs tests in the background ignores Ctrl-C, and so would every child of theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = (
    "workflow/test_resuming",
    "workflow/",
    "test_benchmarks",
    "test_equality",
    "test_paged_equality",
    "test_quality",
)
"""Files that take long, as their ids show: begun last, one would run on while a core is idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Processes take whole files in this order; within a file tests stay in theirs."""

    def rank(item: pytest.Item) -> int:
        return next((i for i, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST))

    items.sort(key=rank)
