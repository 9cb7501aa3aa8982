"""What operational laws allow of a published knee: output lengths, time of the host, batching."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from anarchy.config.experiment import OUTPUT_TOKENS, KneeMap
from anarchy.config.scenario import Scenario
from anarchy.measure.knee.cycle import Cycle
from anarchy.measure.knee.knee_map import Cases, ServiceTimes

Row = dict[str, Any]
Ends = tuple[float, float]

ALL = "all"
"""The scenario of a limit that all scenarios keep to."""

LINES = 19
"""Values of the figure's y axis at which the limits are computed, about as many."""

SLOWEST = 100.0
"""Seconds at the host beyond which no limit is looked for."""

HALVINGS = 60
"""Of an interval in which a limit is looked for: to the last bit."""


def limit_rows(
    study: KneeMap, scenarios: Mapping[str, Scenario], service_times: ServiceTimes
) -> list[Row]:
    """Which output lengths operational laws allow.

    Rows {panel, <y>, scenario, id, lo, hi, longest}. Output lengths are real numbers, more than
    `lo` and at most `hi` of which put the knee in the published interval, null if none do;
    `longest` is the last whole one. By `id`: bracket, lengths for which the bounds on the knee do
    not rule it out; crossing, those whose N* lies there. The scenario `all` has what all allow.
    """
    cases = Cases(study, scenarios, service_times)
    result: list[Row] = []
    for panel, given in enumerate(study.figure.panels):
        for y in _between(study.axes[study.figure.y]):
            values = _first(study) | given | {study.figure.y: y}
            cycles = [cases.case(name, values).cycle for name in study.scenarios]
            for kind, ends_of in (("bracket", _bracketed), ("crossing", _crossing)):
                ends = [ends_of(study, cycle) for cycle in cycles]
                limits = zip([*study.scenarios, ALL], [*ends, _common(ends)], strict=True)
                for name, (lo, hi) in limits:
                    some = lo < hi
                    result.append(
                        {
                            "panel": panel,
                            study.figure.y: y,
                            "scenario": name,
                            "id": kind,
                            "lo": lo if some else None,
                            "hi": hi if some else None,
                            "longest": math.floor(hi) if some else None,
                        }
                    )
    return result


def host_rows(
    study: KneeMap, scenarios: Mapping[str, Scenario], service_times: ServiceTimes
) -> list[Row]:
    """How much of the host's time a common knee allows: rows {id, <y>, value, unit}.

    Above `delay` seconds of a host that delays, or `serial` seconds of a serial one, no output
    length has the N* of all scenarios in the published interval; null if none has without a host.
    """
    cases = Cases(study, scenarios, service_times)
    result: list[Row] = []
    for y in study.axes[study.figure.y]:
        values = _first(study) | {study.figure.y: y}
        cycles = [cases.case(name, values).cycle for name in study.scenarios]
        for kind, serial in (("delay", False), ("serial", True)):
            hosted = partial(_is_common, study, cycles, serial)
            value = _last(hosted, 0.0, SLOWEST) if hosted(0.0) else None
            result.append({"id": kind, study.figure.y: y, "value": value, "unit": "s"})
    return result


def gain_rows(
    study: KneeMap, scenarios: Mapping[str, Scenario], service_times: ServiceTimes
) -> list[Row]:
    """By what factor batching may raise the rate of prefill over that of one prompt at a time.

    Rows {id: gain, workload.output_tokens, value}: the most with which some scenario has an N* of
    at most the end of the published interval, at each output length.
    """
    cases = Cases(study, scenarios, service_times)
    cycles = [cases.case(name, _first(study)).cycle for name in study.scenarios]
    alone = [replace(cycle, full=1) for cycle in cycles]
    return [
        {
            "id": "gain",
            OUTPUT_TOKENS: tokens,
            "value": max(study.upto / cycle.bound(tokens) for cycle in alone),
            "unit": "1",
        }
        for tokens in study.output_tokens
    ]


def _first(study: KneeMap) -> dict[str, Any]:
    return {axis: values[0] for axis, values in study.every_axis.items()}


def _between(values: Sequence[Any]) -> list[int]:
    """Whole numbers between the ends of an axis, about evenly spaced on a scale of logarithms."""
    spaced = np.geomspace(min(values), max(values), LINES).round().astype(int).tolist()
    return sorted({*spaced, *values})


def _common(ends: Sequence[Ends]) -> Ends:
    return max(lo for lo, _ in ends), min(hi for _, hi in ends)


def _bracketed(study: KneeMap, cycle: Cycle) -> Ends:
    """Output lengths beyond which, and up to which, the bounds reach the published interval."""
    least, most = cycle.bracket(study.busy)
    return most.longest(cycle, study.above), least.longest(cycle, study.upto)


def _crossing(study: KneeMap, cycle: Cycle) -> Ends:
    crossing = cycle.crossing
    return crossing.longest(cycle, study.above), crossing.longest(cycle, study.upto)


def _is_common(study: KneeMap, cycles: Sequence[Cycle], serial: bool, host: float) -> bool:
    """Whether an output length has all N* in the published interval behind such a host."""
    hosted = [replace(cycle, host=host, serial=serial) for cycle in cycles]
    lo, hi = _common([_crossing(study, cycle) for cycle in hosted])
    return lo < hi


def _last(holds: Callable[[float], bool], low: float, high: float) -> float:
    """Where something that holds at `low` ends to hold, up to `high`."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
