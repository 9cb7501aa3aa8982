"""Settings that all tests share, values that processes share, and the order of files."""

import fcntl
import gc
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A shared machine may be slow for a moment: time is for the benchmarks to judge.
# Of a property that the nightly run does not try more often, half of the usual examples are enough.
settings.register_profile("no-deadline", deadline=None, max_examples=50)
settings.register_profile("nightly", deadline=None, max_examples=1000)
settings.load_profile("no-deadline")

# A shell that runs tests in the background ignores Ctrl-C, and so would every child of theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONGEST = (
    "workflow/test_resuming",
    "oracle/test_router",
    "cli/test_hostile",
    "compiled/test_equality",
    "compiled/test_paged_equality",
    "workflow/",
    "figures/test_experiments",
    "games/theorems/",
    "measure/bracket/",
    "test_quality",
    "test_reproduce",
    "workload/test_synthetic_trace",
)
"""Files that take long, as their ids show: begun last, one would run on while a core is idle."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """What collecting makes stays to the end: the garbage collector never looks at it again.

    There are millions of objects, and a child that a test forks would copy all of their pages.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Processes take whole files in this order; within a file tests stay in theirs."""

    def rank(item: pytest.Item) -> int:
        return next((i for i, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests that all of its processes have."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def once(shared_folder: Path) -> Callable[[str, Callable[[], Any]], Any]:
    """`once(name, compute)` is what `compute` returned in the process that asked first.

    The others wait for it; a name is that of one value, and a part of a file's name.
    """
    known: dict[str, Any] = {}

    def value(name: str, compute: Callable[[], Any]) -> Any:
        if name not in known:
            with (shared_folder / f"once-{name}.pickle").open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                if not (saved := file.read()):
                    saved = pickle.dumps(compute())
                    file.write(saved)
            known[name] = pickle.loads(saved)
        return known[name]

    return value
