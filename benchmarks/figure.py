"""The speeds, the cost of a request against every size, and where the time goes."""

import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, NullFormatter

from anarchy.artefact.figures.style import WIDTH, colour, saved_figure
from anarchy.common.files import Row
from benchmarks.parts import TEXTS

NANO = 1e9

ROOM = 1.7
"""How much higher than its lines a panel is, for the legend."""
SWEEPS = {
    "requests": "requests",
    "decode_workers": "decode, KV router",
    "prefill_workers": "prefill, KV router",
    "decode_workers.round_robin": "decode, round robin",
    "prefill_workers.round_robin": "prefill, round robin",
    "concurrency": "clients",
}
SPEEDS = {
    "mooncake.requests_per_second": "trace: this",
    "mooncake.dynamo_replay_requests_per_second": "trace: Dynamo's replay",
    "mooncake.plain.requests_per_second": "trace, not paged",
    "closed_loop.requests_per_second": "closed loop: kernel",
    "closed_loop.simpy_requests_per_second": "closed loop: SimPy",
}


def draw(rows: Sequence[Row], out_base: Path) -> None:
    """Draw what has been measured; whatever has not is left out."""
    by_id = {row["id"]: row for row in rows}
    with saved_figure(out_base, WIDTH, 4.6) as figure:
        axes = figure.subplots(2, 2)
        _bars(axes[0, 0], {label: by_id[id] for id, label in SPEEDS.items() if id in by_id}, 1.0)
        axes[0, 0].set(title="Speed", xlabel="requests per second")
        _sweeps(axes[0, 1], rows, ["requests", "concurrency"])
        axes[0, 1].set(title="Longer runs, more clients", xlabel="how many")
        _sweeps(axes[1, 0], rows, [name for name in SWEEPS if "workers" in name])
        axes[1, 0].set(title="Larger pools, 256 clients", xlabel="workers")
        head = "profile.closed_loop.{}.seconds_per_request"
        ids = {head.format(part): text for part, text in TEXTS.items()}
        _bars(axes[1, 1], {label: by_id[id] for id, label in ids.items() if id in by_id}, NANO)
        axes[1, 1].set(title="Parts of a run, closed loop", xlabel="ns per request")


def _bars(axes: Axes, rows: dict[str, Row], scale: float) -> None:
    if not rows:
        return
    values = [row["value"] * scale for row in rows.values()]
    below = [(row["value"] - row["lo"]) * scale for row in rows.values()]
    above = [(row["hi"] - row["value"]) * scale for row in rows.values()]
    axes.barh(list(rows), values, color=colour(0), xerr=[below, above], ecolor="0.3")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)


def _sweeps(axes: Axes, rows: Sequence[Row], names: Sequence[str]) -> None:
    for name in names:
        pattern = re.compile(rf"scaling\.{re.escape(name)}\.(\d+)\.seconds_per_request")
        found = [(match, row) for row in rows if (match := pattern.fullmatch(row["id"]))]
        if not found:
            continue
        sizes = [int(match[1]) for match, _ in found]
        costs = [row["value"] * NANO for _, row in found]
        axes.plot(sizes, costs, "o-", label=SWEEPS[name])
    if axes.lines:
        axes.set(xscale="log", ylabel="ns per request", ylim=(0, ROOM * axes.get_ylim()[1]))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.legend(loc="upper left")
