"""Room for what matplotlib does not make room for: wide legends, and names that crowd an axis."""

import textwrap
from collections.abc import Sequence
from itertools import pairwise

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.legend import Legend

# Lines of a legend stand beside each other in at most so many columns.
_COLUMNS = 4
# Inches of its height that a figure has to spare for a legend.
_SPARE = 0.25


def legend_below(figure: Figure, handles: Sequence[Artist], note: str = "") -> None:
    """A legend below all panels, headed by `note`, in as many columns as are not cut off.

    Labels that are wider than the figure are wrapped. What the legend takes beyond a line is added
    to the figure's height, not taken from the panels.
    """
    labels = [str(handle.get_label()) for handle in handles]
    wrapped_at = max(map(len, labels))
    legend = _legend(figure, handles, labels, note)
    while (width := legend.get_window_extent().width) > figure.bbox.width and wrapped_at > 1:
        legend.remove()
        wrapped_at = int(0.95 * wrapped_at * figure.bbox.width / width)
        wrapped = [textwrap.fill(label, wrapped_at) for label in labels]
        legend = _legend(figure, handles, wrapped, note)
    height = legend.get_window_extent().height / figure.dpi
    figure.set_figheight(figure.get_figheight() + max(0.0, height - _SPARE))


def _legend(figure: Figure, handles: Sequence[Artist], labels: list[str], note: str) -> Legend:
    """The legend with the most columns that the figure is wide enough for, or with one."""
    for columns in range(min(_COLUMNS, len(handles)), 0, -1):
        legend = figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=columns,
            title=note,
            title_fontsize=6.5,
        )
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            break
        legend.remove()
    return legend


def turn_crowded_names(figure: Figure) -> None:
    """Turn the names below each axis where neighbours would touch, and make room for them."""
    figure.draw_without_rendering()
    grown: dict[int, float] = {}  # by the row of panels
    for axes in figure.axes:
        labels = [label for label in axes.get_xticklabels() if label.get_text()]
        boxes = [label.get_window_extent() for label in labels]
        if any(left.x1 >= right.x0 for left, right in pairwise(boxes)):
            for label in labels:
                label.set(rotation=30, ha="right", rotation_mode="anchor")
            tallest = max(label.get_window_extent().height for label in labels)
            row = round(axes.get_window_extent().y0)
            grown[row] = max(grown.get(row, 0.0), tallest - boxes[0].height)
    figure.set_figheight(figure.get_figheight() + sum(grown.values()) / figure.dpi)


def make_room_for_side_names(figure: Figure) -> None:
    """Make panels, one a row with a name at its side, as high as these names are long."""
    figure.draw_without_rendering()
    named = [axes for axes in figure.axes if axes.get_ylabel()]
    lacking = max(
        axes.yaxis.label.get_window_extent().height - axes.get_window_extent().height
        for axes in named
    )
    height = figure.get_figheight() + len(named) * max(0.0, lacking) / figure.dpi
    figure.set_figheight(height)
