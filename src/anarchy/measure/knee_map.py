"""A knee map: the knee over a grid of assumptions, and which of them meet a published fact.

The search is declared before it is run: every combination of the study's axes is simulated for
every scenario, its knee is found by bisection, and a combination is feasible when all scenarios
have their knee in the published interval. Nothing else is fitted.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from anarchy.common.errors import InputError
from anarchy.config.experiment import Experiment, Fact, KneeMap
from anarchy.config.scenario import Scenario, ServedModel, get_field, with_fields
from anarchy.config.workload import ClosedLoop
from anarchy.games.queueing.saturation_point import operational_knee
from anarchy.measure.knee import find_knee, knee_interval
from anarchy.measure.measures import Deployment, get_measure
from anarchy.serving.log.request_log import Run
from anarchy.serving.replications import simulate_many
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import simulate

Row = dict[str, Any]

LOAD = "prefill-load"
"""The measure that an experiment with a knee must have: its threshold is `knee.busy`."""


def operational_bound(scenario: Scenario, latency: Latency) -> float | None:
    """N* of a closed loop with one prefill worker, clients; None for other scenarios.

    With batched prefill the demand of a request is its share of a full step, while an unloaded
    request still takes a step of its own. A serial frontend is a station too, and the larger of
    the two demands is the bottleneck; any other is a delay, as is think time. Decode time is taken
    at the mean context of a request. Infinite when decode saturates first.
    """
    workload = scenario.workload
    if not isinstance(workload, ClosedLoop) or scenario.topology.prefill != 1:
        return None
    engine = scenario.engine
    bandwidth = engine.handoff.bandwidth
    size = workload.input_tokens * scenario.model.kv_bytes_per_token
    transfer = 0.0 if bandwidth is None else size / bandwidth
    cached = cached_tokens(scenario)
    uncached = workload.input_tokens - cached
    full = max(1, min(engine.prefill.batch_requests, engine.prefill.batch_tokens // uncached))
    demand = latency.prefill(full * uncached, full, full * cached) / full
    context = workload.input_tokens + (workload.output_tokens - 1) / 2

    def itl(batch: float) -> float:
        low = math.floor(batch)
        share = batch - low
        at_low = latency.itl(low, context)
        return at_low if share == 0 else at_low + share * (latency.itl(low + 1, context) - at_low)

    frontend = scenario.frontend.overhead
    bottleneck = max(demand, frontend) if scenario.frontend.serial else demand
    knee = operational_knee(
        bottleneck,
        engine.handoff.overhead + transfer + workload.think_time,
        workload.output_tokens,
        itl,
        scenario.topology.decode,
    )
    return knee.clients - 1 + (frontend + latency.prefill(uncached, cached=cached)) / bottleneck


def cached_tokens(scenario: Scenario) -> int:
    """Tokens of a prompt of a closed loop that prefill finds in its cache, once all are there."""
    workload, cache = scenario.workload, scenario.engine.cache
    if not isinstance(workload, ClosedLoop) or not cache.enabled:
        return 0
    prompt, block = workload.input_tokens, cache.block_tokens
    return min(prompt // block * block, cache.most_taken(prompt, block))


def simulated_knee(
    scenario: Scenario,
    latency: Latency,
    *,
    busy: float,
    largest: int,
    requests: int,
    warmup_cycles: float,
    seed: int,
    replication: int = 0,
    guess: int | None = None,
) -> int | None:
    """The fewest clients that load prefill or a serial frontend to a share `busy` of its capacity.

    Load is work over time (`Run.prefill_work`), which without batching is the time it is busy.
    Decode workers do not count: a batch of one keeps one busy, so being busy is not being full.
    The search begins at `guess` clients, or near N* without one.
    """

    def load_at(clients: int) -> float:
        run = simulate(
            with_fields(scenario, {"workload.clients": clients}, "knee search"),
            latency,
            seed=seed,
            replication=replication,
            requests=requests,
            warmup_cycles=warmup_cycles,
        )
        return float(max(np.max(run.prefill_work), run.frontend_busy) / (run.end - run.start))

    if guess is None:
        bound = operational_bound(scenario, latency)
        guess = 1 if bound is None or math.isinf(bound) else round(bound)
    return find_knee(load_at, busy, largest, guess)


def map_knees(
    study: KneeMap,
    name: str,
    scenario: Scenario,
    service_times: Callable[[ServedModel], Latency],
    combinations: Sequence[Mapping[str, Any]],
    *,
    requests: int,
    warmup_cycles: float,
    seed: int,
) -> list[Row]:
    """One row per combination: the simulated knee, N* and whether the knee is as published.

    The search is repeated with other seeds: `value` is the median knee, `lo` and `hi` the least
    and the largest of `n`, all null if one search finds none. A combination is inside when all
    its knees are. `service_times` gives those of a model.
    """
    rows = []
    for values in combinations:
        changed = with_fields(scenario, values, name)
        latency = service_times(changed.model)
        knees = search_knees(
            changed,
            latency,
            busy=study.busy,
            largest=study.largest,
            searches=study.replications,
            requests=requests,
            warmup_cycles=warmup_cycles,
            seed=seed,
        )
        found = sorted(knee for knee in knees if knee is not None)
        complete = len(found) == study.replications
        row: Row = {
            "scenario": name,
            **values,
            "id": "knee",
            "value": found[len(found) // 2] if complete else None,
            "unit": "clients",
            "lo": found[0] if complete else None,
            "hi": found[-1] if complete else None,
            "n": study.replications,
            "operational": operational_bound(changed, latency),
            "inside": complete and study.above < found[0] and found[-1] <= study.upto,
        }
        for number, fact in enumerate(study.facts):
            # Only members of the feasible set are judged; the others need not be run.
            row[f"fact:{number}"] = (
                _judged(study, fact, changed, latency, requests, warmup_cycles, seed)
                if row["inside"]
                else None
            )
        rows.append(row)
    return rows


def search_knees(
    scenario: Scenario,
    latency: Latency,
    *,
    busy: float,
    largest: int,
    searches: int,
    requests: int,
    warmup_cycles: float,
    seed: int,
) -> list[int | None]:
    """The knee with each of some seeds; ends at the first that is not found."""
    knees: list[int | None] = []
    for replication in range(searches):
        knee = simulated_knee(
            scenario,
            latency,
            busy=busy,
            largest=largest,
            requests=requests,
            warmup_cycles=warmup_cycles,
            seed=seed,
            replication=replication,
            guess=knees[-1] if knees else None,
        )
        knees.append(knee)
        if knee is None:
            break
    return knees


def _judged(
    study: KneeMap,
    fact: Fact,
    scenario: Scenario,
    latency: Latency,
    requests: int,
    warmup_cycles: float,
    seed: int,
) -> float | None:
    """The measure of a fact at its load: the mean over the study's seeds."""
    values = []
    measure = get_measure(fact.measure, study.estimators)
    runs: Iterator[Run] = simulate_many(
        scenario,
        latency,
        [{"workload.clients": fact.clients}],
        seed=seed,
        replications=study.replications,
        cores=1,  # the jobs share the machine
        requests=requests,
        warmup_cycles=warmup_cycles,
    )
    for run in runs:
        value = measure.compute(run, Deployment(latency.itl))
        if value is None:
            return None
        values.append(value)
    return fmean(values)


def feasible_set(study: KneeMap, rows: Sequence[Row], chosen: Mapping[str, Scenario]) -> list[Row]:
    """One row per combination of the axes: whether all scenarios agree with the published fact.

    `chosen` marks the combination that all the study's scenarios use.
    """
    combinations: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        key = tuple(row[axis] for axis in study.axes)
        combinations.setdefault(key, {})[row["scenario"]] = row
    result = []
    for key, by_scenario in combinations.items():
        values = dict(zip(study.axes, key, strict=True))
        missing = set(study.scenarios) - set(by_scenario)
        if missing:
            raise InputError(f"knee map: no knee of {', '.join(sorted(missing))} at {values}")
        used = all(
            get_field(chosen[scenario], axis) == value
            for scenario in study.scenarios
            for axis, value in values.items()
        )
        combination: Row = {
            **values,
            "feasible": all(by_scenario[s]["inside"] for s in study.scenarios),
            "chosen": used,
        }
        for scenario in study.scenarios:
            combination[f"knee:{scenario}"] = by_scenario[scenario]["value"]
        result.append(combination)
    return result


def fact_rows(study: KneeMap, rows: Sequence[Row], feasible: Sequence[Row]) -> list[Row]:
    """One row per published fact: the range of its measure over the feasible set.

    Columns: id (the claim), text, measure, clients, at_least and at_most (as published), lo and
    hi (over members and scenarios), n (members), met (members that meet it in all scenarios).
    """
    members = [
        tuple(member[axis] for axis in study.axes) for member in feasible if member["feasible"]
    ]
    result: list[Row] = []
    for number, fact in enumerate(study.facts):
        values: dict[tuple[Any, ...], list[float | None]] = {member: [] for member in members}
        for row in rows:
            member = tuple(row[axis] for axis in study.axes)
            if member in values:
                values[member].append(row[f"fact:{number}"])
        found = [value for member in values.values() for value in member if value is not None]
        least = -math.inf if fact.at_least is None else fact.at_least
        most = math.inf if fact.at_most is None else fact.at_most
        met = [
            all(value is not None and least <= value <= most for value in member)
            for member in values.values()
        ]
        result.append(
            {
                "id": fact.claim,
                "text": fact.text,
                "measure": fact.measure,
                "clients": fact.clients,
                "at_least": fact.at_least,
                "at_most": fact.at_most,
                "lo": min(found, default=None),
                "hi": max(found, default=None),
                "n": len(members),
                "met": sum(met),
            }
        )
    return result


def summary_rows(study: KneeMap, rows: Sequence[Row], feasible: Sequence[Row]) -> list[Row]:
    """What the text says of a knee map: rows {id, value, n}.

    `bound-error:<value>` is the largest |knee / N* - 1| over the knees that both methods find
    with the study's first axis at that value, `bound-error-inside:<value>` that over the knees in
    the published interval.
    """
    members = [member for member in feasible if member["feasible"]]
    knees = [
        value for member in members for key, value in member.items() if key.startswith("knee:")
    ]
    result: list[Row] = [
        {"id": "searches", "value": study.replications, "n": study.replications},
        {"id": "combinations", "value": len(feasible), "n": len(feasible)},
        {"id": "feasible", "value": len(members), "n": len(feasible)},
        {
            "id": "chosen-feasible",
            "value": sum(bool(member["chosen"]) for member in members),
            "n": len(feasible),
        },
        {"id": "least-knee", "value": min(knees, default=None), "n": len(knees)},
        {"id": "largest-knee", "value": max(knees, default=None), "n": len(knees)},
    ]
    first = next(iter(study.axes))
    for value in study.axes[first]:
        found = [row for row in rows if row[first] == value]
        result.append(_largest_error(f"bound-error:{value}", found))
        inside = [row for row in found if row["inside"]]
        result.append(_largest_error(f"bound-error-inside:{value}", inside))
    return result


def _largest_error(name: str, rows: Sequence[Row]) -> Row:
    errors = [
        abs(row["value"] / row["operational"] - 1)
        for row in rows
        if row["value"] and row["operational"] and math.isfinite(row["operational"])
    ]
    return {"id": name, "value": max(errors, default=None), "n": len(errors)}


def knee_rows(
    experiment: Experiment,
    rows: Sequence[Row],
    scenarios: Mapping[str, Scenario],
    service_times: Callable[[ServedModel], Latency],
) -> list[Row]:
    """The knee interval of each sweep of the load, and N* beside it.

    There is one sweep per scenario and combination of the other swept fields. Rows {scenario,
    those fields, id: knee-lo | knee-hi | operational-bound, value, unit}; an end that the sweep
    does not reach is null. `service_times` gives those of a model.
    """
    assert experiment.knee is not None  # the rule is asked for experiments with a knee only
    others = [field for field in experiment.axes if field != experiment.knee.field]
    sweeps: dict[tuple[Any, ...], list[tuple[float, float]]] = {}
    for row in rows:
        if row["id"] == LOAD:
            key = (row["scenario"], *(row[field] for field in others))
            sweeps.setdefault(key, []).append((row[experiment.knee.field], row["value"]))
    result: list[Row] = []
    for (name, *settings), points in sweeps.items():
        values = dict(zip(others, settings, strict=True))
        lo, hi = knee_interval(points, experiment.knee.busy)
        scenario = with_fields(scenarios[name], experiment.fields(values), name)
        bound = operational_bound(scenario, service_times(scenario.model))
        for kind, value in (("knee-lo", lo), ("knee-hi", hi), ("operational-bound", bound)):
            row = {"scenario": name, **values, "id": kind, "value": value, "unit": "clients"}
            result.append(row)
    return result
