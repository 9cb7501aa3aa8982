"""What a study says of its family: a row a member, the best first, and what all have in common."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np

from anarchy.config.estimator import Estimator, EstimatorStudy
from anarchy.measure.estimators.members import COLUMNS, cells, entry_name, members, window_name
from anarchy.measure.estimators.signature import (
    Readings,
    artefact,
    deep,
    flatness,
    growth,
    largest,
    plateau,
    signature,
    spread,
    thermometer,
    variance_ratio,
)
from anarchy.serving.log.request_log import Floats

Row = dict[str, Any]

PROPORTIONAL = 0.1
"""How far the elasticity of an index in n may be from 1 to count as proportional."""

FLAT = 0.1
"""Slopes of log index over log loss that are nearer to 0 than this are none."""

ENDS = ("lo", "hi")

PREFILL = ("ttft", "e2e", "observed-ttft", "observed-e2e", "in-flight")
"""Entries, numerators and windowings that contain those who wait for prefill."""


def member_rows(readings: Readings) -> list[Row]:
    """One row a member in order of rank: properties met, then nearness to the published levels.

    Columns: the choices; for each scenario s `plateau:s`, `deep:s`, and at the plateau `n:s`,
    `per-worker:s` (n / m), `random:s` and `round-robin:s` (the neutral controls on the same
    matrices), `reached:s` (the least load at which the largest index wanted is reached); `growth`
    (least over scenarios), `largest` (least), `flatness`, `artefact`, `spread`
    and `variance-ratio` (most); `ratio` (plateaus of the first and the last scenario with a
    published level); `window-slope` (elasticity in n, for windows of the last n); `variant:v` (the
    plateau under variant v over that without); `slope` and `rank-correlation` of the index with the
    true cost from router to router; those of `signature.followed` with what was lost, over all
    runs; each with `-lo` and `-hi` of a 95 % interval; `met:p` for each property and `score`, how
    many.
    """
    study, met = readings.study, signature(readings)
    score = np.sum(list(met.values()), axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = _columns(readings)
        distance = _distance(study, plateau(readings))
    family = members(study)
    names = list(family)
    order = sorted(range(len(names)), key=lambda i: (-score[i], distance[i], names[i]))
    rows = []
    for i in order:
        row: Row = {"id": names[i], **_choices(family[names[i]])}
        row |= {column: _plain(values[i]) for column, values in columns.items()}
        row |= {f"met:{name}": bool(inside[i]) for name, inside in met.items()}
        rows.append(row | {"score": int(score[i]), "distance": _plain(distance[i])})
    return rows


def curve_rows(readings: Readings, chosen: Sequence[str]) -> list[Row]:
    """The curves of some members: {id, scenario, clients, value, lo, hi, n} over the loads.

    `value` is the mean of `n` replications, `lo` and `hi` the least and the largest of them.
    """
    study, rows = readings.study, []
    position = {name: number for number, name in enumerate(members(study))}
    for name in chosen:
        for s, scenario in enumerate(study.scenarios):
            for clients in study.clients:
                found = readings.at(clients)[s, :, position[name]]
                row: Row = {"id": name, "scenario": scenario, "clients": clients}
                row |= {"value": _plain(found.mean()), "n": len(found)}
                rows.append(row | {"lo": _plain(found.min()), "hi": _plain(found.max())})
    return rows


def survivors(study: EstimatorStudy, rows: Sequence[Row]) -> list[str]:
    """The first members by rank of different kinds, as many as the study shows.

    They have the property `survive` of the study, unless nobody has it.
    No two share windowing, numerator and matching: what else they choose hardly shows in a curve.
    """
    family = members(study)
    found: dict[tuple[str, ...], str] = {}
    alive = [row for row in rows if study.survive and row[f"met:{study.survive}"]]
    for row in alive or rows:
        options = family[row["id"]]
        kind = (options.windowing, options.numerator, options.matching)
        found.setdefault(kind, row["id"])
    return list(found.values())[: study.shown]


def thermometer_rows(readings: Readings, rows: Sequence[Row]) -> list[Row]:
    """The indices of a few members beside what each run lost by mean end-to-end latency.

    Rows {id, scenario, kind, run, clients, value, lo, hi} of the members that the study compares
    and of the one with the best `e2e-order`: means over replications, `lo` and `hi` of the loss.
    """
    study, numbers, found = readings.study, readings.numbers.mean(axis=1), []
    position = {name: number for number, name in enumerate(members(study))}
    known = [row for row in rows if row["e2e-order"] is not None]
    best = [row["id"] for row in sorted(known, key=lambda row: -row["e2e-order"])[:1]]
    compared = [name for name in study.compared if name in position]
    for name in dict.fromkeys([*compared, *best]):
        for s, scenario in enumerate(study.scenarios):
            for cell, values in zip(cells(study), numbers[s, :, position[name]], strict=True):
                row: Row = {"id": name, "scenario": scenario, "kind": cell.kind, "run": cell.name}
                lost = {end: _plain(values[COLUMNS.index(f"e2e-mean:{end}")]) for end in ENDS}
                value = _plain(values[COLUMNS.index("value")])
                found.append(row | {"clients": cell.clients, "value": value} | lost)
    return found


def summary_rows(readings: Readings, rows: Sequence[Row]) -> list[Row]:
    """What the text says: rows {id, value, n, share}, `value` members (or a number) out of `n`.

    `met:p` counts the members with property p, `both:p+q` those with two, `claim:c` those with all
    properties of a claim, `decode-only:p` those with p into which no wait for prefill goes;
    `score:k` counts the members that meet k properties, and `decode-only-growth` is the largest
    growth of those without prefill.
    `follows` counts the members whose rank correlation with the true cost is above 0, `misleads`
    those with one below, `true-slope` those whose slope may be 1 and is known to within a half.
    `sure-pairs:c` counts the pairs of runs whose brackets by criterion c do not overlap, over all
    replications, `orders:c` the members with an order above 0 on these, `misorders:c` those with
    one below; `most-order:c`, `least-order:c` and `median-order:c` are over members, and `flat:c`
    counts those whose slope is nearer to 0 than 0.1.
    `implied-n:s` is the median window that puts the plateau of the members that are proportional
    to n at the published level of scenario s.
    """
    study, count = readings.study, len(rows)
    family = members(study)
    decode = [row for row in rows if not _contains_prefill(family[row["id"]])]
    growths = [row["growth"] for row in decode if row["growth"] is not None]
    result: list[Row] = [
        {"id": "members", "value": count, "n": count},
        {"id": "properties", "value": len(study.properties), "n": count},
        {"id": "replications", "value": study.replications, "n": count},
        {"id": "best-score", "value": max(row["score"] for row in rows), "n": count},
        {"id": "decode-only-growth", "value": max(growths, default=None), "n": len(growths)},
        _count("decode-only", decode, rows),
    ]
    for score in range(len(study.properties) + 1):
        found = [row for row in rows if row["score"] == score]
        result.append(_count(f"score:{score}", found, rows))
    for name in study.properties:
        met = [row for row in rows if row[f"met:{name}"]]
        result.append(_count(f"met:{name}", met, rows))
        result.append(
            _count(f"decode-only:{name}", [r for r in decode if r[f"met:{name}"]], decode)
        )
    for claim in dict.fromkeys(p.claim for p in study.properties.values()):
        wanted = [name for name, p in study.properties.items() if p.claim == claim]
        every = [row for row in rows if all(row[f"met:{name}"] for name in wanted)]
        result.append(_count(f"claim:{claim}", every, rows))
    for one, other in combinations(study.properties, 2):
        both = [row for row in rows if row[f"met:{one}"] and row[f"met:{other}"]]
        result.append(_count(f"both:{one}+{other}", both, rows))
    result += [*_thermometers(rows), *_followers(readings, rows)]
    return [*result, *_implied_windows(study, rows)]


def _thermometers(rows: Sequence[Row]) -> Iterator[Row]:
    """Members whose index follows the true cost from router to router, and those that mislead."""
    known = [row for row in rows if row["rank-correlation"] is not None]
    yield _count("follows", [row for row in known if row["rank-correlation-lo"] > 0], rows)
    yield _count("misleads", [row for row in known if row["rank-correlation-hi"] < 0], rows)
    exact = [row for row in known if row["slope-lo"] <= 1 <= row["slope-hi"]]
    narrow = [row for row in exact if row["slope-hi"] - row["slope-lo"] < 1]
    yield _count("true-slope", narrow, rows)


def _followers(readings: Readings, rows: Sequence[Row]) -> Iterator[Row]:
    """Members that tell which of two runs has surely lost more, and those that tell it wrongly."""
    for criterion, pairs in readings.losses[1].items():
        column = f"{criterion}-order"
        known = [row for row in rows if row[column] is not None]
        orders = [row[column] for row in known]
        yield {"id": f"sure-pairs:{criterion}", "value": pairs, "n": readings.study.replications}
        yield _count(f"orders:{criterion}", [r for r in known if r[f"{column}-lo"] > 0], known)
        yield _count(f"misorders:{criterion}", [r for r in known if r[f"{column}-hi"] < 0], known)
        for name, value in (("most", max), ("least", min), ("median", median)):
            found = value(orders) if orders else None
            yield {"id": f"{name}-order:{criterion}", "value": found, "n": len(known)}
        flat = [row for row in rows if _is_flat(row, f"{criterion}-slope")]
        yield _count(f"flat:{criterion}", flat, rows)


def _is_flat(row: Row, slope: str) -> bool:
    """Whether an index hardly moves with the loss."""
    ends = (row[f"{slope}-lo"], row[f"{slope}-hi"])
    return all(end is not None and abs(end) < FLAT for end in ends)


def _count(name: str, found: Sequence[Row], of: Sequence[Row]) -> Row:
    share = len(found) / len(of) if of else None
    return {"id": name, "value": len(found), "n": len(of), "share": share}


def _implied_windows(study: EstimatorStudy, rows: Sequence[Row]) -> Iterator[Row]:
    slopes = [row["window-slope"] for row in rows]
    straight = [s is not None and abs(s - 1) < PROPORTIONAL for s in slopes]
    alike = [row for row, use in zip(rows, straight, strict=True) if use]
    yield _count("proportional", alike, rows)
    for scenario, level in _studied(study).items():
        implied = [level * row[f"n:{scenario}"] / row[f"plateau:{scenario}"] for row in alike]
        median = float(np.median(implied)) if implied else None
        yield {"id": f"implied-n:{scenario}", "value": median, "n": len(implied)}


def _studied(study: EstimatorStudy) -> dict[str, float]:
    """The published levels of the scenarios that are studied."""
    return {name: level for name, level in study.levels.items() if name in study.scenarios}


def _contains_prefill(options: Estimator) -> bool:
    return bool({options.windowing, options.entry, options.numerator} & set(PREFILL))


def _choices(options: Estimator) -> dict[str, str]:
    return {
        "window": window_name(options),
        "entry": entry_name(options),
        "numerator": options.numerator,
        "matching": options.matching,
        "aggregation": options.aggregation,
    }


def _columns(readings: Readings) -> dict[str, Floats]:
    """The numbers of all members by column."""
    study, level = readings.study, plateau(readings)
    at = study.clients.index(study.plateau)
    columns: dict[str, Floats] = {}
    for s, scenario in enumerate(study.scenarios):
        columns[f"plateau:{scenario}"] = level[s]
        columns[f"deep:{scenario}"] = deep(readings)[s]
        columns[f"n:{scenario}"] = readings.curve("n")[s, at]
        columns[f"per-worker:{scenario}"] = readings.curve("per_worker")[s, at]
        columns[f"random:{scenario}"] = readings.curve("random")[s, at]
        columns[f"round-robin:{scenario}"] = readings.curve("round_robin")[s, at]
        columns[f"reached:{scenario}"] = _reached(readings, s)
    for name, statistic in (("growth", growth), ("largest", largest)):
        columns[name] = statistic(readings).min(axis=0)
    for name, statistic in (
        ("flatness", flatness),
        ("artefact", artefact),
        ("spread", spread),
        ("variance-ratio", variance_ratio),
    ):
        columns[name] = statistic(readings).max(axis=0)
    routers = dict(zip(("slope", "rank-correlation"), thermometer(readings), strict=True))
    for name, values in (routers | readings.losses[0]).items():
        half = _half_width(values)
        columns |= {name: values.mean(axis=0)}
        columns |= {f"{name}-lo": columns[name] - half, f"{name}-hi": columns[name] + half}
    ends = [study.scenarios.index(name) for name in _studied(study)] or [0]
    columns["ratio"] = level[ends[0]] / level[ends[-1]]
    columns["window-slope"] = _window_slope(study, level)
    for variant in study.variants:
        ratios = readings.variant(variant, study.plateau) / level
        columns[f"variant:{variant}"] = ratios.mean(axis=0)
    return columns


def _half_width(values: Floats) -> Floats:
    """Of the 95 % interval of a mean over replications (Student)."""
    from scipy.stats import t

    n = len(values)
    half: Floats = t.ppf(0.975, n - 1) * values.std(axis=0, ddof=1) / np.sqrt(n)
    return half


def _reached(readings: Readings, scenario: int) -> Floats:
    """The least load at which the index reaches what a property wants of its largest value."""
    ends = [p.at_least for p in readings.study.properties.values() if p.statistic == "largest"]
    wanted = next((end for end in ends if end is not None), np.inf)
    above = readings.curve()[scenario] >= wanted
    loads = np.array(readings.study.clients, dtype=float)
    return np.where(above.any(axis=0), loads[above.argmax(axis=0)], np.nan)


def _window_slope(study: EstimatorStudy, level: Floats) -> Floats:
    """d log plateau / d log n between the shortest and the longest window of the last n."""
    family = list(members(study).values())
    alike: dict[tuple[Any, ...], dict[int, int]] = {}
    for number, options in enumerate(family):
        if options.windowing == "last-n":
            alike.setdefault(_recipe(options), {})[options.window] = number
    slopes = np.full(len(family), np.nan)
    for windows in alike.values():
        short, long = min(windows), max(windows)
        if short < long:
            ratio = level[:, windows[long]] / level[:, windows[short]]
            slope = float(np.log(ratio).mean() / np.log(long / short))
            slopes[list(windows.values())] = slope
    return slopes


def _recipe(options: Estimator) -> tuple[Any, ...]:
    choices = (options.numerator, options.matching, options.aggregation)
    return (entry_name(options), *choices)


def _distance(study: EstimatorStudy, level: Floats) -> Floats:
    """How far the plateaus are from the published ones: |log ratio|, summed; infinite if none."""
    total = np.zeros(level.shape[1])
    for name, published in _studied(study).items():
        total += np.abs(np.log(level[study.scenarios.index(name)] / published))
    return np.where(np.isfinite(total), total, np.inf)


def _plain(value: Any) -> float | None:
    """A number for a row; None for one that is undefined."""
    return None if np.isnan(value) else float(value)
