"""The panels that figures are made of: lines with bands and direct labels, bars, heatmaps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from anarchy.artefact.canvas import colour
from anarchy.artefact.display import Scale, number, with_interval

# Curves with more points than this are drawn without markers.
MARKED = 25
# Values that span less are easier to read on a linear axis, even where a log one is asked for.
LOG_SPAN = 5.0
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


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
            marker=_MARKERS[i % len(_MARKERS)] if len(x) <= MARKED else "",
            markersize=2.0 + width,
            markerfacecolor="white",
            markeredgewidth=0.7,
        )
        axes.fill_between(x, lo, hi, color=colour(i), alpha=0.22, linewidth=0)
    _scale_x(axes, [p[0] for s in series for p in s.points], log_x)
    _scale_values(axes, [v for line in series for v in line.column(1)], log_y)


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
    """Shade the knee of each line (its number, interval, N*) and mark N* at the top edge.

    Lines that share an interval share one grey band.
    """
    left, right = axes.get_xlim()
    intervals: dict[tuple[float, float], list[int]] = {}
    for i, lo, hi, _ in knees:
        intervals.setdefault((max(lo, left), min(hi, right)), []).append(i)
    for (lo, hi), owners in intervals.items():
        tint = colour(owners[0]) if len(owners) == 1 else "#555555"
        axes.axvspan(lo, hi, color=tint, alpha=0.13, linewidth=0, zorder=0)
    for i, _, _, bound in knees:
        if bound is not None and left <= bound <= right:
            axes.plot(
                [bound],
                [1.0],
                transform=axes.get_xaxis_transform(),
                marker="v",
                markersize=5,
                color=colour(i),
                markeredgecolor="white",
                markeredgewidth=0.4,
                clip_on=False,
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
        axes.bar(at, y, width * 0.92, color=colour(i), label=bars.label)
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
) -> None:
    """A grid of (value, lo, hi), first row at the bottom; every cell prints its own interval."""
    values = [[_finite(cell[0], scale.factor) for cell in row] for row in cells]
    image = axes.imshow(values, norm=norm, aspect="auto", origin="lower")
    for j, row in enumerate(cells):
        for i, cell in enumerate(row):
            if math.isnan(values[j][i]):
                continue
            red, green, blue, _ = image.cmap(norm(values[j][i]))
            dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
            text = with_interval(*cell, scale.factor).replace(" ", "\n", 1)
            axes.text(i, j, text, ha="center", va="center", fontsize=6, color="w" if dark else "k")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def norm_for(values: Sequence[float | None], scale: Scale, log: bool) -> Normalize:
    """One colour scale for all panels of a measure, so that their colours compare."""
    finite = [v for v in (_finite(v, scale.factor) for v in values) if not math.isnan(v)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return LogNorm(low, high) if log and low > 0 else Normalize(low, high)


def _formatter() -> FuncFormatter:
    return FuncFormatter(lambda value, _: number(value, 3))


def _scale_x(axes: Axes, x: Sequence[float], log: bool) -> None:
    log = log and min(x) > 0
    if log:
        axes.set_xscale("log", base=2)
    axes.set_xticks(ticks(sorted(set(x)), log))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(_formatter())


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
    axes.yaxis.set_major_formatter(_formatter())


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
