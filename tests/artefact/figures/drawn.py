"""Figures kept so that a test can look at what is in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from matplotlib.figure import Figure

from anarchy.artefact.figures.style import saved_figure


@contextmanager
def figures_of(module: ModuleType) -> Iterator[list[Figure]]:
    """The figures that `module` saves meanwhile, in order."""
    figures: list[Figure] = []

    @contextmanager
    def kept(out_base: Path, width: float, height: float) -> Iterator[Figure]:
        with saved_figure(out_base, width, height) as figure:
            yield figure
            figures.append(figure)

    with patch.object(module, "saved_figure", kept):
        yield figures


@contextmanager
def sketched() -> Iterator[list[Figure]]:
    """The figures that are saved meanwhile, laid out and drawn to the last, but into empty files.

    Writing both files takes three times as long.
    """
    figures: list[Figure] = []

    def keep(figure: Figure, file: Path, **_: object) -> None:
        if figure not in figures:
            figure.draw_without_rendering()
            figures.append(figure)
        file.touch()

    with patch.object(Figure, "savefig", keep):
        yield figures
