"""The panels that figures are made of: lines with bands and direct labels, bars, heatmaps."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import FigureBase
from matplotlib.patches import Rectangle
from matplotlib.ticker import Formatter, LogLocator, NullLocator

from anarchy.artefact.display import Scale, number, same_decimals, upper_bound
from anarchy.artefact.figures.style import colour

# Curves with more points than this are drawn without markers.
MARKED = 25
# Values that span less are easier to read on a linear axis, even where a log one is asked for.
LOG_SPAN = 5.0
# Lines and bars differ in grey too, and where the colours begin anew.
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_DASHES = ("-", "--", ":", "-.")
_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----")
# Marks of operational bounds: the height of one, and what all of them may take, as shares of a
# panel's height.
_MARK, _MARKS = 0.055, 0.35


@dataclass(frozen=True)
class Series:
    """One line: its direct label, the settings that pick it, and x with value, lo, hi each."""

    label: str
    key: Mapping[str, Any]
    points: Sequence[tuple[Any, float | None, float | None, float | None]]

    def column(self, index: int, factor: float = 1.0) -> list[float]:
        """x (0), values (1), lower (2) or upper ends (3); missing and infinite ones as NaN."""
        return [_finite(point[index], factor) for point in self.points]


def draw_lines(
    axes: Axes, series: Sequence[Series], scale: Scale, log_x: bool, log_y: bool
) -> None:
    """Lines with markers and 95 % bands.

    Earlier lines are wider than later ones, so that lines on top of each other all show.
    """
    for i, line in enumerate(series):
        x = line.column(0)
        y, lo, hi = (line.column(k, scale.factor) for k in (1, 2, 3))
        width = 0.9 + 1.2 * (len(series) - 1 - i) / max(1, len(series) - 1)
        axes.plot(
            x,
            y,
            color=colour(i),
            linewidth=width,
            linestyle=_DASHES[i // len(_MARKERS) % len(_DASHES)],
            marker=marker(i) if len(x) <= MARKED else "",
            markersize=2.0 + width,
            markerfacecolor="white",
            markeredgewidth=0.7,
        )
        axes.fill_between(x, lo, hi, color=colour(i), alpha=0.22, linewidth=0)
    _scale_x(axes, [p[0] for s in series for p in s.points], log_x)
    _scale_values(axes, [v for line in series for v in line.column(1)], log_y)


def draw_prediction(axes: Axes, points: Sequence[Sequence[float]], scale: Scale) -> None:
    """A curve behind the lines: x and values in the unit of the results."""
    if points:
        x, y = zip(*points, strict=True)
        values = [value * scale.factor for value in y]
        axes.plot(x, values, color="#555555", linewidth=1.3, linestyle=(0, (3, 1)), zorder=1)


def marker(index: int) -> str:
    """The marker of a line, from the first again when all are used up."""
    return _MARKERS[index % len(_MARKERS)]


def label_lines(axes: Axes, series: Sequence[Series], scale: Scale) -> None:
    """Write each line's label beside its end, spread apart where ends are close."""
    ends: list[tuple[float, int, float, float]] = []
    for i, line in enumerate(series):
        pairs = zip(line.column(0), line.column(1, scale.factor), strict=True)
        finite = [(x, y) for x, y in pairs if not math.isnan(y)]
        if finite:
            height = axes.transAxes.inverted().transform(axes.transData.transform(finite[-1]))[1]
            ends.append((float(height), i, *finite[-1]))
    points = axes.get_window_extent().height / axes.figure.dpi * 72
    ends.sort()
    for (_, i, x, y), height in zip(ends, _spread([e[0] for e in ends], 8.5 / points), strict=True):
        axes.annotate(
            series[i].label,
            xy=(x, y),
            xytext=(1.06, height),
            textcoords="axes fraction",
            color=colour(i),
            fontsize=7,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour(i), "linewidth": 0.4, "shrinkA": 1},
        )


def draw_knees(axes: Axes, knees: Sequence[tuple[int, float, float, float | None]]) -> None:
    """Shade the knee of each line (its number, interval, N*) and mark N* below the top edge.

    An interval of several lines is one grey band, that of a single line has its colour. A mark is a
    tick in the colour of its line; each starts where the one before it ends, so that bounds close
    to each other all show.
    """
    left, right = axes.get_xlim()
    intervals: dict[tuple[float, float], list[int]] = {}
    for i, lo, hi, _ in knees:
        intervals.setdefault((max(lo, left), min(hi, right)), []).append(i)
    for place, ((lo, hi), owners) in enumerate(sorted(intervals.items())):
        tint = colour(owners[0]) if len(owners) == 1 else "#555555"
        # Two strengths in turn: neighbouring intervals must not look like one.
        axes.axvspan(lo, hi, color=tint, alpha=0.13 + 0.12 * (place % 2), linewidth=0, zorder=0)
    bounds = [(i, b) for i, _, _, b in knees if b is not None and left <= b <= right]
    height = min(_MARK, _MARKS / max(1, len(bounds)))
    for place, (i, bound) in enumerate(bounds):
        axes.plot(
            [bound, bound],
            [1 - place * height, 1 - (place + 1) * height],
            transform=axes.get_xaxis_transform(),
            color=colour(i),
            linewidth=1.8,
            solid_capstyle="butt",
            zorder=5,
        )
    axes.set_xlim(left, right)


def draw_bars(
    axes: Axes, categories: Sequence[str], series: Sequence[Series], scale: Scale, log_y: bool
) -> None:
    """Bars in groups with 95 % error bars; each series has its point i at category i."""
    width = 0.8 / len(series)
    for i, bars in enumerate(series):
        at = [point[0] + (i - (len(series) - 1) / 2) * width for point in bars.points]
        y, lo, hi = (bars.column(k, scale.factor) for k in (1, 2, 3))
        axes.bar(
            at,
            y,
            width * 0.92,
            color=colour(i),
            label=bars.label,
            hatch=_HATCHES[i % len(_HATCHES)],
            edgecolor="white",
            linewidth=0,
        )
        sides = [
            [0.0 if math.isnan(e) else abs(v - e) for v, e in zip(y, end, strict=True)]
            for end in (lo, hi)
        ]
        if any(any(side) for side in sides):
            axes.errorbar(at, y, yerr=sides, fmt="none", ecolor="#333333", elinewidth=0.8)
    axes.set_xticks(range(len(categories)), categories)
    axes.grid(visible=False, axis="x")
    _scale_values(axes, [v for bars in series for v in bars.column(1)], log_y)


def draw_heatmap(
    axes: Axes,
    cells: Sequence[Sequence[tuple[float | None, float | None, float | None]]],
    scale: Scale,
    norm: Normalize,
) -> str:
    """A grid of (value, lo, hi), first row at the bottom; every cell prints its value.

    All values have the same decimals. Returns the note on their intervals: the largest half-width,
    nothing when there are none.
    """
    values = [[_finite(cell[0], scale.factor) for cell in row] for row in cells]
    image = axes.imshow(values, norm=norm, aspect="auto", origin="lower")
    at = [(i, j) for j, row in enumerate(values) for i, v in enumerate(row) if not math.isnan(v)]
    widest = max((_half_width(cells[j][i], scale.factor) for i, j in at), default=0.0)
    texts = same_decimals([values[j][i] for i, j in at], widest)
    for (i, j), text in zip(at, texts, strict=True):
        red, green, blue, _ = image.cmap(norm(values[j][i]))
        dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
        axes.text(i, j, text, ha="center", va="center", fontsize=7, color="w" if dark else "k")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return f"95 % half-widths ≤ {upper_bound(widest)}" if widest else ""


def frame_cell(axes: Axes, column: int, row: int) -> None:
    """A frame around one cell of a heatmap, dark within light so that it shows on any colour."""
    for colour_of, width in (("white", 2.6), ("black", 1.2)):
        box = Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor=colour_of)
        box.set_linewidth(width)
        axes.add_patch(box)


def draw_curve(
    axes: Axes,
    points: Sequence[Sequence[float]],
    x_values: Sequence[float],
    y_values: Sequence[float],
) -> None:
    """A curve over a heatmap whose columns and rows have these values, linear between them."""
    x, y = zip(*points, strict=True)
    at = np.interp(x, x_values, range(len(x_values)))
    up = np.interp(y, y_values, range(len(y_values)))
    for colour_of, width in (("white", 2.4), ("black", 1.0)):
        axes.plot(at, up, color=colour_of, linewidth=width)


def draw_colour_bar(
    figure: FigureBase, panels: Sequence[Axes], norm: Normalize, label: str
) -> None:
    """The colour scale that `panels` share, to their right, with the name of what it shows."""
    bar = figure.colorbar(ScalarMappable(norm), ax=list(panels), aspect=30, pad=0.02)
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.ax.yaxis.set_major_formatter(_PlainNumbers())
    bar.ax.yaxis.set_minor_locator(NullLocator())


def _half_width(cell: tuple[float | None, float | None, float | None], factor: float) -> float:
    """The longer side of the interval; 0 when there is none."""
    value, lo, hi = (_finite(part, factor) for part in cell)
    side = max(value - lo, hi - value)
    return 0.0 if math.isnan(side) else side


LOSS_NORM = LogNorm(1.0, 10.0, clip=True)
"""Losses have the same colours in all figures: dark is nothing lost, bright ten times or more."""


def norm_for(values: Sequence[float | None], scale: Scale, log: bool) -> Normalize:
    """One colour scale for all panels of a measure, so that their colours compare."""
    finite = [v for v in (_finite(v, scale.factor) for v in values) if not math.isnan(v)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return LogNorm(low, high) if log and low > 0 else Normalize(low, high)


class _PlainNumbers(Formatter):
    """Ticks as the tables print numbers, with the digits that tell neighbours apart."""

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        steps = [b - a for a, b in itertools.pairwise(sorted(values)) if b > a]
        finest = math.floor(math.log10(min(steps))) if steps else 0
        return [self._text(x, finest) for x in values]

    def __call__(self, x: float, pos: int | None = None) -> str:
        return self._text(x, 0)

    def _text(self, x: float, finest: int) -> str:
        # Two digits for the step itself: half or a quarter of a power of ten is common.
        digits = math.floor(math.log10(abs(x))) - finest + 2 if x else 0
        return number(x, max(3, digits))


def _scale_x(axes: Axes, x: Sequence[float], log: bool) -> None:
    log = log and min(x) > 0
    if log:
        axes.set_xscale("log", base=2)
    axes.set_xticks(ticks(sorted(set(x)), log))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(_PlainNumbers())


def _scale_values(axes: Axes, values: Sequence[float], log: bool) -> None:
    """A log scale if asked for and worth it; else zero is shown if that squeezes nothing."""
    low, high = axes.get_ylim()
    positive = [v for v in values if v > 0]
    if log and positive and max(positive) >= LOG_SPAN * min(positive):
        axes.set_yscale("log")
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(
            LogLocator(10, subs=(1.0, 2.0, 5.0) if high < 200 * low else (1.0,), numticks=12)
        )
        axes.yaxis.set_minor_locator(NullLocator())
    elif 0 < low < 0.5 * high:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(_PlainNumbers())


def ticks(values: Sequence[float], log: bool, most: int = 9) -> list[float]:
    """The grid points that get a tick: the last one, and those before it that leave room."""
    at = [math.log(v) if log else float(v) for v in values]
    room = (at[-1] - at[0]) / most
    chosen: list[int] = []
    for i in reversed(range(len(at))):
        if not chosen or at[chosen[-1]] - at[i] >= room * 0.999:
            chosen.append(i)
    return [values[i] for i in reversed(chosen)]


def _spread(heights: Sequence[float], gap: float) -> list[float]:
    """Heights in ascending order moved apart to at least `gap`, staying near where they were."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        # Neighbouring groups that would touch become one group, centred on its members' mean.
        while len(groups) > 1 and _bottom(groups[-1], gap) - _top(groups[-2], gap) < gap:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_bottom(group, gap) + k * gap for group in groups for k in range(len(group))]


def _bottom(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) - (len(group) - 1) * gap / 2


def _top(group: Sequence[float], gap: float) -> float:
    return sum(group) / len(group) + (len(group) - 1) * gap / 2


def _finite(value: float | None, factor: float = 1.0) -> float:
    return math.nan if value is None or math.isinf(value) else value * factor
