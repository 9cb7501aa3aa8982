"""What a knee map says: the whole of it, the facts that its members meet, its summary."""

import math
from collections.abc import Sequence
from typing import Any

from anarchy.common.errors import InputError
from anarchy.config.experiment import VARIANT, KneeMap, combinations

Row = dict[str, Any]


def whole_map(study: KneeMap, rows: Sequence[Row]) -> list[Row]:
    """The rows of all jobs in the order of the combinations; a hole in the map is refused."""
    axes = list(study.every_axis)
    found = {tuple(row[axis] for axis in axes): row for row in rows}
    wanted = [tuple(values.values()) for values in combinations(study.every_axis)]
    for key in wanted:
        if key not in found:
            raise InputError(f"knee map: no row for {dict(zip(axes, key, strict=True))}")
    return [found[key] for key in wanted]


def fact_rows(study: KneeMap, rows: Sequence[Row]) -> list[Row]:
    """One row per published fact: the range of its measure over the feasible set.

    Columns: id (the claim), text, measure, clients, at_least and at_most (as published), lo and
    hi (over members and scenarios), n (members), met (members that meet it in all scenarios).
    """
    members = [row for row in rows if row["feasible"]]
    result: list[Row] = []
    for number, fact in enumerate(study.facts):
        values = [[row[f"fact:{number}:{name}"] for name in study.scenarios] for row in members]
        found = [value for member in values for value in member if value is not None]
        least = -math.inf if fact.at_least is None else fact.at_least
        most = math.inf if fact.at_most is None else fact.at_most
        met = [
            all(value is not None and least <= value <= most for value in member)
            for member in values
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


def variant_rows(study: KneeMap, rows: Sequence[Row]) -> list[Row]:
    """The knees of what the scenarios use under each variant: rows {id, variant, scenario, value}.

    `lo` and `hi` are the bounds on a knee, which is null if the search gave up.
    """
    return [
        {
            "id": "knee",
            VARIANT: row.get(VARIANT),
            "scenario": name,
            "value": row[f"knee:{name}"],
            "unit": "clients",
            "lo": row[f"least:{name}"],
            "hi": row[f"most:{name}"],
        }
        for row in rows
        if row["varied"]
        for name in study.scenarios
    ]


def summary_rows(study: KneeMap, rows: Sequence[Row]) -> list[Row]:
    """What the text says of a knee map: rows {id, value, n}.

    `bracket-error` is the largest share by which a member's knee lies outside of its bounds,
    `bound-error:<value>` the largest |knee / N* - 1| with the figure's y axis at that value.
    """
    members = [row for row in rows if row["feasible"]]
    knees = [(row, name) for row in members for name in study.scenarios]
    values = [row[f"knee:{name}"] for row, name in knees]
    audited = [row["audit"] for row in rows if row["audit"] is not None]
    outside = [
        max(knee / row[f"most:{name}"] - 1, 1 - knee / row[f"least:{name}"], 0.0)
        for knee, (row, name) in zip(values, knees, strict=True)
    ]
    counts = {
        "searches": (study.replications, study.replications),
        "combinations": (len(rows), len(rows)),
        "simulated": (sum(row["side"] is None for row in rows), len(rows)),
        "by-theory": (sum(row["side"] is not None for row in rows), len(rows)),
        "feasible": (len(members), len(rows)),
        "chosen-feasible": (sum(row["chosen"] for row in members), len(rows)),
        "audited": (len(audited), len(rows)),
        "audited-right": (sum(audited), len(audited)),
        "margin": (study.margin, 1),
        "least-knee": (min(values, default=None), len(values)),
        "largest-knee": (max(values, default=None), len(values)),
        "bracket-error": (max(outside, default=None), len(values)),
    }
    result: list[Row] = [{"id": id, "value": value, "n": n} for id, (value, n) in counts.items()]
    for y in study.axes[study.figure.y]:
        errors = [
            abs(knee / row[f"bound:{name}"] - 1)
            for knee, (row, name) in zip(values, knees, strict=True)
            if row[study.figure.y] == y
        ]
        error = max(errors, default=None)
        result.append({"id": f"bound-error:{y}", "value": error, "n": len(errors)})
    return result
