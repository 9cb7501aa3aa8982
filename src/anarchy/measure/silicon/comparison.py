"""Both models of the source with each table of service times: their ratios, and their knees.

Columns of all rows: what tells a deployment apart (scenario, gpu, times, all_reduce, batch,
caching), id, value, unit.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from anarchy.common.files import Row
from anarchy.config.scenario import Scenario, ServedModel, with_fields
from anarchy.config.silicon import Deployment, Silicon
from anarchy.config.workload import ClosedLoop
from anarchy.measure.knee.cycle import cached_tokens, operational_bound
from anarchy.measure.knee.simulated import search_knees
from anarchy.serving.service_times.lookup import Latency

LONGEST_OUTPUT = 1024
"""Most output tokens that are tried."""

SETTING = ("gpu", "times", "all_reduce", "batch", "caching")
"""The columns that a deployment of one model shares with that of the other."""

GROUP = ("gpu", "times", "batch", "caching")
"""Those that settings of one group share; there is a group of all GPUs, too."""

ALL = "all"
"""The GPU of that group."""


def comparison_rows(
    silicon: Silicon,
    deployed: Iterable[Deployment],
    service_times: Callable[[ServedModel], Latency],
    *,
    requests: int,
    warmup_cycles: float,
    seed: int,
) -> list[Row]:
    """What one table makes of one model, a row for each of:

    * prefill: seconds of a prefill step of one prompt, nothing of it cached
    * prefill-used: seconds of such a step as the deployment has it, behind what is cached
    * itl: seconds of a decode step at the last published load and a request's mean context
    * ratio: prefill over itl
    * operational-bound: N*, clients
    * knee: the median of simulated knees, with the least and largest of n; null beyond `largest`
    * grid-point: the first published load at or above that knee, null beyond them
    * output-least, output-most: the output tokens for which N* is in the published interval

    `service_times` gives those of a model.
    """
    rows: list[Row] = []
    for deployment in deployed:
        scenario = deployment.scenario
        latency = service_times(scenario.model)
        knees = search_knees(
            scenario,
            latency,
            busy=silicon.busy,
            largest=silicon.largest,
            searches=silicon.searches,
            requests=requests,
            warmup_cycles=warmup_cycles,
            seed=seed,
        )
        rows += [
            {**deployment.keys, "provenance": latency.table.provenance.kind, **row}
            for row in (
                *_steps(scenario, latency, silicon.grid[-1]),
                *_knee(silicon.grid, knees),
                *_outputs(silicon.grid, scenario, latency),
            )
        ]
    return rows


def _steps(scenario: Scenario, latency: Latency, load: int) -> list[Row]:
    """Seconds of both kinds of steps, their ratio, and N*.

    The decode step is that of `load` clients, nearly all of whom are decoding.
    """
    workload = scenario.workload
    assert isinstance(workload, ClosedLoop)  # `deployments` has refused others
    cached = cached_tokens(scenario)
    alone = latency.prefill(workload.input_tokens)
    used = latency.prefill(workload.input_tokens - cached, cached=cached)
    batch = round(load / scenario.topology.decode)
    itl = latency.itl(batch, workload.input_tokens + (workload.output_tokens - 1) / 2)
    return [
        {"id": "prefill", "value": alone, "unit": "s"},
        {"id": "prefill-used", "value": used, "unit": "s"},
        {"id": "itl", "value": itl, "unit": "s"},
        {"id": "ratio", "value": alone / itl, "unit": "1"},
        {"id": "operational-bound", "value": _bound(scenario, latency), "unit": "clients"},
    ]


def _bound(scenario: Scenario, latency: Latency) -> float:
    bound = operational_bound(scenario, latency)
    assert bound is not None  # a closed loop with one prefill worker, see `deployments`
    return bound


def _knee(grid: Sequence[int], knees: Sequence[int | None]) -> list[Row]:
    """The knee that was simulated, and the first load of the grid that is not below it."""
    found = sorted(knee for knee in knees if knee is not None)
    if len(found) < len(knees):
        found = []
    knee = found[len(found) // 2] if found else None
    at = next((load for load in grid if knee is not None and load >= knee), None)
    ends = {"lo": found[0] if found else None, "hi": found[-1] if found else None}
    return [
        {"id": "knee", "value": knee, "unit": "clients", **ends, "n": len(knees)},
        {"id": "grid-point", "value": at, "unit": "clients"},
    ]


def _outputs(grid: Sequence[int], scenario: Scenario, latency: Latency) -> list[Row]:
    """From and up to how many output tokens N* is in the interval of the grid's last two loads."""

    def below(tokens: int, clients: float) -> bool:
        changed = with_fields(scenario, {"workload.output_tokens": tokens}, "output tokens")
        return _bound(changed, latency) <= clients

    def upto(clients: int) -> int:
        """The most output tokens whose N* is at most so many clients."""
        return bisect_left(range(1, LONGEST_OUTPUT), True, key=lambda n: not below(n, clients))

    least, most = upto(grid[-2]) + 1, upto(grid[-1])
    there = least <= most
    return [
        {"id": "output-least", "value": least if there else None, "unit": "tokens"},
        {"id": "output-most", "value": most if there else None, "unit": "tokens"},
    ]


def summary_rows(rows: Sequence[Row]) -> list[Row]:
    """What becomes of two models under the same service times.

    Rows `factor:<id>` have, for every setting, the second model's value over the first's. All
    others have, for every GPU and for all together, whose times they are and every way to prefill
    (gpu, times, batch, caching), what holds over the all-reduces, `n` settings of both models:
    `difference`, the largest of the models' N* as a share; `output-least` and `output-most`, the
    output tokens for which N* is in the published interval in all of them; and `<id>-least`,
    `<id>-most`.
    """
    by_setting: dict[tuple[Any, ...], dict[str, list[Any]]] = {}
    for row in rows:  # the first model's come first
        setting = tuple(row[key] for key in SETTING)
        by_setting.setdefault(setting, {}).setdefault(row["id"], []).append(row["value"])
    result: list[Row] = []
    groups: dict[tuple[Any, ...], list[dict[str, list[Any]]]] = {}
    for setting, pairs in by_setting.items():
        head = dict(zip(SETTING, setting, strict=True))
        for gpu in (head["gpu"], ALL):
            group = tuple((head | {"gpu": gpu})[key] for key in GROUP)
            groups.setdefault(group, []).append(pairs)
        for name in ("prefill", "itl", "operational-bound"):
            row = {"id": f"factor:{name}", **head, "value": _factor(pairs[name]), "unit": "1"}
            result.append(row)
    for group, members in groups.items():
        head = dict(zip(GROUP, group, strict=True)) | {"n": len(members)}
        result += [{"id": name, **head, **row} for name, row in _over(members).items()]
    return result


def _factor(pair: Sequence[float]) -> float | None:
    """The second over the first; null where a knee is out of reach."""
    first, second = pair
    return second / first if math.isfinite(first) and math.isfinite(second) else None


def _over(members: Sequence[Mapping[str, Sequence[Any]]]) -> dict[str, Row]:
    """The ends of a group of settings."""
    factors = [_factor(member["operational-bound"]) for member in members]
    shares = [abs(factor - 1) for factor in factors if factor is not None]
    together: dict[str, Row] = {
        "difference": {"value": max(shares, default=None), "unit": "1"},
    }
    for name, unit in (("ratio", "1"), ("operational-bound", "clients"), ("knee", "clients")):
        values = [value for member in members for value in member[name] if value is not None]
        together[f"{name}-least"] = {"value": min(values, default=None), "unit": unit}
        together[f"{name}-most"] = {"value": max(values, default=None), "unit": unit}
    least = [value for member in members for value in member["output-least"]]
    most = [value for member in members for value in member["output-most"]]
    common = None not in least and max(least) <= min(most)
    together["output-least"] = {"value": max(least) if common else None, "unit": "tokens"}
    together["output-most"] = {"value": min(most) if common else None, "unit": "tokens"}
    return together
