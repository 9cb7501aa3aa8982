"""What gives the published changes: mechanisms by claims, as ratios or as sizes.

Three kinds. A fault of what the router knows is judged by what the switch of temperature repairs of
it; another cause by what it changes itself; and some mechanisms are asked how large they must be.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from anarchy.config.claims.ledger import Change, Claim, Ledger
from anarchy.config.experiment import VARIANT, Experiment
from anarchy.measure.claims.closed_loop import TAIL, Load, Sweep
from anarchy.measure.claims.samples import Row

TEMPERATURE = "router.temperature"
CLIENTS = "workload.clients"

WITHIN = 1.5
"""Factor within which a ratio meets a published one, as in the rules of the claims."""

MEASURES = {"index": "poa-hat:waiting"}
"""The measure of a published quantity that is not called like it."""

Rows = list[dict[str, Any]]


def variant_rows(
    ledger: Ledger, experiment: Experiment, rows: Sequence[Row], compared: Sequence[Row]
) -> Rows:
    """One row for each variant of an experiment and claim.

    Columns: id, kind, claim, scenario, clients, value, lo, hi, unit, published, met. `value`, `lo`
    and `hi` are after over before: with the temperature over without for faults of the router's
    knowledge (kind "switch"), the variant over the published deployment otherwise ("cause"). `met`
    says whether the whole interval is within a factor of 1.5 of what was published.
    """
    result = []
    for claim in ledger.claims:
        change = claim.change
        if change is None or change.scenario not in experiment.scenarios:
            continue
        for variant, fields in experiment.variants.items():
            knows = all(path.startswith("router.tracking") for path in fields)
            ends = _switched(compared, change, variant) if knows else _caused(rows, change, variant)
            if ends is not None:
                kind = "switch" if knows else "cause"
                result.append(_row(variant, kind, claim, change, change.at, ends))
    return result


def size_rows(ledger: Ledger, sweeps: Mapping[str, Sweep]) -> Rows:
    """How large a mechanism must be to give a claim: {id, claim, scenario, clients, value, unit}.

    `fewer-clients`: how many clients are left, of those that there were. `slower-decode`: decode
    time over what it was, throughput unchanged (for a throughput claim: TTFT without waiting).
    `first-cycle`: at how many clients the ratio of a steady run to the first cycle, in which all
    clients come at once, is the published one. Null: no load of the sweep has it.
    """
    result = []
    for claim in ledger.claims:
        change = claim.change
        sweep = sweeps.get(change.scenario or "") if change else None
        if change is None or sweep is None:
            continue
        base = _at(sweep, min(change.at, sweep.loads[-1].clients))
        if base is None:
            continue
        found = {
            "fewer-clients": (_fewer(sweep, base, change), "clients"),
            "slower-decode": (_slower(sweep, base, change), "1"),
            "first-cycle": (_first_cycle(sweep, change), "clients"),
        }
        for name, (value, unit) in found.items():
            row: dict[str, Any] = {"id": name, "kind": "size", "claim": claim.id}
            row |= {"scenario": sweep.scenario, "clients": base.clients}
            row |= {"value": value, "lo": value, "hi": value, "unit": unit}
            result.append(row | {"published": change.ratio, "met": None})
    return result


Ends = tuple[float, float | None, float | None]


def _row(
    name: str, kind: str, claim: Claim, change: Change, clients: int, ends: Ends
) -> dict[str, Any]:
    value, lo, hi = ends
    return {
        "id": name,
        "kind": kind,
        "claim": claim.id,
        "scenario": change.scenario,
        "clients": clients,
        "value": value,
        "lo": lo,
        "hi": hi,
        "unit": "1",
        "published": change.ratio,
        "met": lo is not None and hi is not None and _meets(change, lo, hi),
    }


def _meets(change: Change, lo: float, hi: float) -> bool:
    if change.quantity == "throughput":  # a factor of 1.5 of 0.87 would contain no change at all
        off = (1 - change.ratio) / 2
        return change.ratio - off <= lo and hi <= change.ratio + off
    return change.ratio / WITHIN <= lo and hi <= change.ratio * WITHIN


def _chosen(rows: Sequence[Row], change: Change, variant: str, **more: Any) -> Row | None:
    measure = MEASURES.get(change.quantity, change.quantity)
    wanted: dict[str, Any] = {"id": measure, "scenario": change.scenario}
    wanted |= {VARIANT: variant, CLIENTS: change.at, **more}
    return next((row for row in rows if all(row.get(k) == v for k, v in wanted.items())), None)


def _switched(compared: Sequence[Row], change: Change, variant: str) -> Ends | None:
    row = _chosen(compared, change, variant)
    if row is None or row["ratio"] is None:
        return None
    return row["ratio"], row["ratio_lo"], row["ratio_hi"]


def _caused(rows: Sequence[Row], change: Change, variant: str) -> Ends | None:
    """Means over means, with ends that hold whenever those of both means do."""
    greedy = {TEMPERATURE: 0.0}
    after = _chosen(rows, change, variant, **greedy)
    before = _chosen(rows, change, "published", **greedy)
    if after is None or before is None or not before["value"]:
        return None
    ratio = after["value"] / before["value"]
    if None in (after["lo"], before["lo"]):
        return ratio, None, None
    return ratio, after["lo"] / before["hi"], after["hi"] / before["lo"]


def _at(sweep: Sweep, clients: int) -> Load | None:
    return next((load for load in sweep.loads if load.clients == clients), None)


def _quantity(load: Load, change: Change) -> float:
    """The published quantity; an index that holds the wait is in proportion to the mean TTFT."""
    names = {"throughput": "throughput", "ttft-p99": "ttft_p99"}
    return float(getattr(load, names.get(change.quantity, "ttft_mean")))


def _fewer(sweep: Sweep, base: Load, change: Change) -> float | None:
    wanted = change.ratio * _quantity(base, change)
    below = [load for load in sweep.loads if load.clients <= base.clients]
    return _crossing([(load.clients, _quantity(load, change)) for load in below], wanted)


def _slower(sweep: Sweep, base: Load, change: Change) -> float:
    if change.quantity == "throughput":
        cycle = base.clients / (change.ratio * base.throughput)
        return (cycle - sweep.think - sweep.unloaded) / base.decode
    return 1 + (1 - change.ratio) * base.ttft_mean / base.decode


def _first_cycle(sweep: Sweep, change: Change) -> float | None:
    """At which load a steady run is to the first cycle what the claim has after to before."""
    if change.quantity == "throughput":
        return None
    service = 1 / max(load.throughput for load in sweep.loads)
    points = [
        (load.clients, _quantity(load, change) / _burst(sweep, load, change, service))
        for load in sweep.loads
        if load.clients > 1
    ]
    return _crossing(points, change.ratio)


def _burst(sweep: Sweep, load: Load, change: Change, service: float) -> float:
    """TTFT of the first cycle: the k-th of C requests waits for k - 1 prompts."""
    behind = (load.clients - 1) * (1 - TAIL if change.quantity == "ttft-p99" else 0.5)
    return sweep.unloaded + behind * service


def _crossing(points: Sequence[tuple[int, float]], wanted: float) -> float | None:
    """The largest place at which a quantity on a grid, joined by lines, rises through a value."""
    for (left, low), (right, high) in reversed(list(itertools.pairwise(points))):
        if low <= wanted <= high:
            share = (wanted - low) / (high - low) if high > low else 0.0
            return left + share * (right - left)
    return None
