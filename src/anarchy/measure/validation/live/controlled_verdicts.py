"""Controlled runs of the real Dynamo, judged beside the simulator with the same controller.

**The rule, fixed before the measurement that is kept.** In each phase the throughput is within
`WITHIN` of the simulated mean, and the P99 of TTFT that the clients saw lies in the same bucket of
the frontend's histogram as the simulated mean, or in one next to it. Everything else is shown.
"""

from bisect import bisect_left
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.common.files import Row
from anarchy.config.live import ControlledRun
from anarchy.measure.intervals import mean_interval

WITHIN = 0.03
BUCKETS = 1

Judged = dict[str, Any]

SHOWN = {"e2e": "s", "ttft": "s", "page_p99": "s", "tied": "1", "busiest": "1"}
"""Quantities of a phase without a tolerance, and their units."""


def judge_controlled_runs(
    measured: Sequence[Row], simulated: Sequence[Row], runs: Sequence[ControlledRun]
) -> list[Judged]:
    """One row for each run, phase and quantity, one for each gain, and what they come to.

    Raises InputError for a run that was measured otherwise than it is configured, or not at all.
    """
    rows = []
    for run in runs:
        live = [row for row in measured if run.name in (row["id"], row.get("run"))]
        ours = [row for row in simulated if row["run"] == run.name]
        _check_measured(run, live)
        rows += _judge_run(run, live, ours)
    decided = [row for row in rows if row["holds"] is not None]
    late = max(float(row["lateness"]) for row in measured if row["group"] == "run")
    totals = [_host(simulated), _total("lateness", late)]
    return [*rows, *_gains(rows), *_summary(decided), *totals]


def _check_measured(run: ControlledRun, live: Sequence[Row]) -> None:
    asked = [stretch.phase for stretch in run.stretches]
    if [row["phase"] for row in live if row["group"] == "phase"] != asked:
        raise InputError(
            f"{paths.LIVE_REFERENCE}: run '{run.name}' of {paths.LIVE} was not measured, or not "
            "as it stands there; `./reproduce live --only control` measures it"
        )


def _judge_run(run: ControlledRun, live: Sequence[Row], ours: Sequence[Row]) -> list[Judged]:
    (head,) = (row for row in live if row["group"] == "run")
    switches = [row["switches"] for row in ours if row["group"] == "run"]
    rows: list[Judged] = [
        {
            **_row(run, None, "switches", head["switches"], switches),
            "least": min(switches),
            "most": max(switches),
        }
    ]
    rows += [_switch(run, live, ours, place) for place in ("first", "last")]
    for seen in (row for row in live if row["group"] == "phase"):
        phase = seen["phase"]
        phases = [row for row in ours if row["group"] == "phase" and row["phase"] == phase]
        rows.append(_judge_throughput(run, phase, seen, phases))
        rows.append(_judge_tail(run, phase, seen, phases))
        rows += [
            {**_row(run, phase, name, seen[name], [row[name] for row in phases]), "unit": unit}
            for name, unit in SHOWN.items()
        ]
    return [*rows, *_polls(run, live, ours)]


def _polls(run: ControlledRun, live: Sequence[Row], ours: Sequence[Row]) -> list[Judged]:
    """The P99 of TTFT that the controller saw at each poll, live and in the mean of all runs.

    Live polls are numbered as simulated ones: the first has nothing to look back to.
    """
    seen = [row for row in live if row["group"] == "poll"]
    rows = []
    for number, poll in enumerate(seen):
        simulated = [r["p99"] for r in ours if r["group"] == "poll" and r["poll"] == number]
        if poll["p99"] is not None and simulated:
            row = _row(run, None, f"poll_{number}", poll["p99"], simulated)
            switched = poll["switched"]
            rows.append(
                {**row, "group": "poll", "time": poll["time"], "switched": switched, "unit": "s"}
            )
    return rows


def _row(
    run: ControlledRun, phase: str | None, quantity: str, value: Any, simulated: Sequence[Any]
) -> Judged:
    interval = mean_interval([float(one) for one in simulated])
    scenario, _, arm = run.name.rpartition("-")
    name = "-".join(filter(None, (run.name, phase, quantity.replace("_", "-"))))
    return {
        "id": name,
        "group": quantity.replace("_", "-"),
        "scenario": scenario,
        "arm": arm,
        "phase": phase,
        "value": value,
        "expected": interval.value,
        "expected_lo": interval.lo,
        "expected_hi": interval.hi,
        "unit": "1",
        "holds": None,
    }


def _judge_throughput(run: ControlledRun, phase: str, seen: Row, phases: Sequence[Row]) -> Judged:
    row = _row(run, phase, "throughput", seen["throughput"], [one["throughput"] for one in phases])
    difference = row["value"] / row["expected"] - 1
    return {**row, "unit": "1/s", "difference": difference, "holds": abs(difference) <= WITHIN}


def _judge_tail(run: ControlledRun, phase: str, seen: Row, phases: Sequence[Row]) -> Judged:
    row = _row(run, phase, "ttft_p99", seen["ttft_p99"], [one["ttft_p99"] for one in phases])
    edges = run.controller.edges
    apart = bisect_left(edges, row["value"]) - bisect_left(edges, row["expected"])
    return {**row, "unit": "s", "buckets": apart, "holds": abs(apart) <= BUCKETS}


def _switch(run: ControlledRun, live: Sequence[Row], ours: Sequence[Row], place: str) -> Judged:
    """When the controller switched first, or last; nothing where it never did."""
    times = [row["time"] for row in live if row["group"] == "poll" and row["switched"]]
    found = [row[place] for row in ours if row["group"] == "run" and row["switches"]]
    value = None if not times else times[0 if place == "first" else -1]
    return {**_row(run, None, f"{place}_switch", value, found), "unit": "s"}


def _gains(rows: Sequence[Judged]) -> list[Judged]:
    """By what factor the adaptive run is better than the static one, in each phase."""
    found = {(row["scenario"], row["arm"], row["phase"], row["group"]): row for row in rows}
    gains = []
    for (scenario, arm, phase, group), row in found.items():
        if arm == "adaptive" and group in ("throughput", "ttft-p99", "ttft", "page-p99"):
            static = found[scenario, "static", phase, group]
            better = [row[side] / static[side] for side in ("value", "expected")]
            if group != "throughput":
                better = [1 / ratio for ratio in better]
            gains.append(
                {
                    "id": f"{scenario}-{phase}-{group}-gain",
                    "group": "gain",
                    "scenario": scenario,
                    "phase": phase,
                    "value": better[0],
                    "expected": better[1],
                    "unit": "1",
                    "holds": None,
                }
            )
    return gains


def _summary(decided: Sequence[Judged]) -> list[Judged]:
    throughput = [row for row in decided if row["group"] == "throughput"]
    tails = [row for row in decided if row["group"] == "ttft-p99"]
    return [
        _total("checks", sum(row["holds"] for row in decided), n=len(decided)),
        _total("throughput", max(abs(row["difference"]) for row in throughput), n=len(throughput)),
        _total("buckets", max(abs(row["buckets"]) for row in tails), n=len(tails)),
    ]


def _host(simulated: Sequence[Row]) -> Judged:
    return _total("host", fmean(float(row["host"]) for row in simulated))


def _total(name: str, value: float, **fields: Any) -> Judged:
    return {"id": f"summary-{name}", "group": "summary", "value": value, "unit": "1", **fields}
