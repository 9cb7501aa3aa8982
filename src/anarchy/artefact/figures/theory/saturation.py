"""The figure of the saturation law: poles below capacity, and where they lie."""

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.common.files import Row

TOP = 100.0
"""Largest ratio shown: a curve that reaches it has met its pole as far as the eye can tell."""


def plot(rows: Sequence[Row], out_base: Path) -> None:
    """Draw the rows of `saturation.curve_rows` as `out_base`.pdf and .png."""
    with saved_figure(out_base, WIDTH, 2.6) as figure:
        left, right = figure.subplots(1, 2, width_ratios=(1.45, 1))
        _draw_poles(left, [row for row in rows if row["quantity"] == "price of anarchy"])
        _draw_law(right, [row for row in rows if row["quantity"] == "critical load"])


def _draw_poles(axes: Axes, rows: Sequence[Row]) -> None:
    """Cost over optimum against load: linear proxies solid, latency-aware routers dashed."""
    aware = [row for row in rows if row["router"] == "latency-aware"]
    credits = sorted({row["credit"] for row in aware})
    for i, credit in enumerate(credits):
        linear = [r for r in rows if r["router"] == "linear-proxy" and r["credit"] == credit]
        pole = linear[0]["pole"]
        axes.axvline(pole, color=colour(i), linewidth=0.6, linestyle=(0, (3, 2)))
        axes.plot(*_points(linear), color=colour(i), linewidth=1.5)
        axes.text(
            pole - 0.012,
            TOP * 0.9,
            f"credit {Fraction(credit)} μ",
            color=colour(i),
            fontsize=7,
            rotation=90,
            ha="right",
            va="top",
        )
        same = [row for row in aware if row["credit"] == credit]
        axes.plot(*_points(same), color=colour(i), linewidth=1.3, linestyle=(0, (3, 1)))
    worst = max(row["value"] for row in aware)
    axes.annotate(
        f"latency-aware router,\nsame credits: at most {worst:.2f}",
        xy=(0.2, 1.14),
        xytext=(0.04, 4.2),
        fontsize=7,
        arrowprops={"arrowstyle": "-", "color": "#555555", "linewidth": 0.5},
    )
    axes.annotate(
        "router that follows\na linear proxy",
        xy=(0.68, 3.4),
        xytext=(0.26, 19.0),
        fontsize=7,
        arrowprops={"arrowstyle": "-", "color": "#555555", "linewidth": 0.5},
    )
    axes.set_yscale("log")
    axes.set_ylim(0.93, TOP)
    axes.yaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 50, 100]))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("load, share of the capacity of two equal servers")
    axes.set_title("cost over optimum (log scale)")


def _draw_law(axes: Axes, rows: Sequence[Row]) -> None:
    """Critical load against credit: the law as lines, computed loads as points on them."""
    for i, servers in enumerate(sorted({row["servers"] for row in rows})):
        chosen = [row for row in rows if row["servers"] == servers]
        credits = [row["credit"] for row in chosen]
        tint = colour(4 + i)
        axes.plot(credits, [row["pole"] for row in chosen], color=tint)
        axes.plot(
            credits,
            [row["value"] for row in chosen],
            linestyle="none",
            marker="o",
            markersize=3.2,
            color=tint,
            markerfacecolor="white",
            markeredgewidth=0.8,
        )
        last = chosen[-1]
        axes.annotate(
            f"{servers} servers",
            xy=(last["credit"], last["pole"]),
            xytext=(0, 5),
            textcoords="offset points",
            color=tint,
            fontsize=7,
            ha="right",
        )
    axes.axhline(1.0, color="#555555", linewidth=1.3, linestyle=(0, (3, 1)))
    axes.annotate(
        "latency-aware: full capacity",
        xy=(1.0, 1.0),
        xycoords=("axes fraction", "data"),
        xytext=(0, -9),
        textcoords="offset points",
        fontsize=7,
        color="#555555",
        ha="right",
    )
    axes.set_ylim(0, 1.04)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("credit of the one favoured server, in units of μ")
    axes.set_title("load at which a server overloads")


def _points(rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    """Loads and values in order of load, without the infinite ones."""
    finite = sorted(
        (row["load"], row["value"])
        for row in rows
        if row["value"] is not None and math.isfinite(row["value"])
    )
    return [load for load, _ in finite], [value for _, value in finite]
