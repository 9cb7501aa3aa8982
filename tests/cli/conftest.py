"""The project in which hostile inputs are tried."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.small_project import write_project


@pytest.fixture(scope="module")
def small_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the small project, in which commands find themselves."""
    root = tmp_path_factory.mktemp("project")
    write_project(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANARCHY_PROJECT", str(root))
        yield root
