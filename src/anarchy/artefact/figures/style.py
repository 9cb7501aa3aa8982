"""Figures in the house style, written as PDF and PNG with the same bytes on every run."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from matplotlib import style
from matplotlib.figure import Figure

from anarchy.common.files import atomic
from anarchy.common.paths import ROOT

STYLE = ROOT / "figures" / "style.mplstyle"
WIDTH = 6.3  # inches: the text width of the paper
# Dates and versions stay out of the files.
_METADATA = {".pdf": {"CreationDate": None, "Producer": None}, ".png": {"Software": None}}


@contextmanager
def saved_figure(out_base: Path, width: float, height: float) -> Iterator[Figure]:
    """A figure of `width` x `height` inches; left normally, it is saved as .pdf and .png.

    The user's own matplotlib settings have no say: the style starts from matplotlib's defaults.
    """
    with style.context(["default", STYLE]):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        for suffix, metadata in _METADATA.items():
            # Not with_suffix: a name may contain a dot.
            with atomic(out_base.parent / f"{out_base.name}{suffix}") as temporary:
                figure.savefig(temporary, format=suffix[1:], metadata=metadata)


def colour(index: int) -> str:
    """The palette of the current style, from its start again when it is used up."""
    colours: list[str] = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    return colours[index % len(colours)]
