"""The knee of an experiment's load sweep, an interval of its grid, and N* beside it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from anarchy.config.experiment import Experiment
from anarchy.config.scenario import Scenario, ServedModel, with_fields
from anarchy.measure.knee.cycle import operational_bound
from anarchy.measure.knee.search import knee_interval
from anarchy.serving.service_times.lookup import Latency

Row = dict[str, Any]

LOAD = "prefill-load"
"""The measure that an experiment with a knee must have: its threshold is `knee.busy`."""


def knee_rows(
    experiment: Experiment,
    rows: Sequence[Row],
    scenarios: Mapping[str, Scenario],
    service_times: Callable[[ServedModel], Latency],
) -> list[Row]:
    """The knee interval of each sweep of the load, and N* (eq:nstar) beside it.

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
