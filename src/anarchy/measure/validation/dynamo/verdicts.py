"""What was measured beside Dynamo, judged.

**The rule, fixed before the measurement that is kept.**

* Requests of one case agree if TTFT and cached tokens differ by at most `ERROR` on average and
  `SHARE` of the requests have TTFTs at most the time of one block apart. A case with a known
  difference is shown and not judged.
* Parts of the router agree if they gave the same answer every time.
* The times that a router took a worker are held against the known probability by the exact
  binomial test, theirs and ours each on their own; where the probability is 0 or 1 they must be
  none or all.
* Means over runs are compared by `permutation_test.compare_runs`; by round robin, runs must equal.

All tests are judged together by Holm's procedure at `checks.LEVEL`, as in the rest of the
validation. `detectable` is the difference that its first and hardest step finds with power 0.9.
Under a true probability an observed one is more than three standard errors away once in 370
comparisons: `summary-choices` says how many were, and that is a description, not the verdict.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from scipy.stats import binomtest

from anarchy.common.files import Row
from anarchy.measure.intervals import mean_interval
from anarchy.measure.validation.checks import CONFIDENCE, LEVEL, holm
from anarchy.measure.validation.dynamo.names import CLASSES, DEFAULT, DYNAMO, OURS
from anarchy.measure.validation.dynamo.permutation_test import compare_runs, detectable

ERROR, SHARE = 0.01, 0.99
SAME = 1e-9
"""Relative difference of two means that are sums of the same numbers in another order."""

STANDARD_ERRORS = 3.0

QUANTITIES = {"ttft": ("TTFT", "s"), "reuse": ("reuse", "share")}
"""Mean of a run -> what it is called, and its unit."""

Judged = dict[str, Any]


def judge_measured(measured: Sequence[Row]) -> list[Judged]:
    """The rows of the comparison with their verdicts, and last what they come to."""
    by_group: dict[str, list[Row]] = {}
    for row in measured:
        by_group.setdefault(str(row["group"]), []).append(row)
    rows = [
        *(judge_requests(row) for row in by_group["requests"]),
        *(judge_units(row) for row in by_group["units"]),
        *(judge_choice(row) for row in by_group["choices"]),
        *judge_runs(by_group["windows"]),
        *judge_runs(by_group["trend"]),
    ]
    tested = [row for row in rows if row["p"] is not None]
    for row, rejected in zip(tested, holm([row["p"] for row in tested]), strict=True):
        row["holds"] = not rejected
        if "error" in row:
            row["detectable"] = detectable(row["error"], LEVEL / len(tested))
    return [*rows, *_summary(rows, tested)]


def _judged(name: str, group: str, system: str, quantity: str, **fields: Any) -> Judged:
    nothing = dict.fromkeys(("side", "temperature", "expected", "value", "lo", "hi", "p", "z"))
    head = {"id": name, "group": group, "system": system, "quantity": quantity, "unit": "1"}
    return {**head, **nothing, "holds": None, **fields}


def judge_requests(row: Row) -> Judged:
    """One case: mean TTFT of both, and how many requests are in each class of differences."""
    close = row["ttft_error"] <= ERROR and row["reuse_error"] <= ERROR
    holds = close and row["within"] >= SHARE * row["n"]
    kept = ("n", *CLASSES, "ttft_error", "reuse_error")
    return _judged(
        row["id"],
        "requests",
        row["system"],
        "mean TTFT",
        unit="s",
        expected=row["ttft_dynamo"],
        value=row["ttft_ours"],
        holds=holds if row["judged"] else None,
        **{name: row[name] for name in kept},
    )


def judge_units(row: Row) -> Judged:
    """One part of the router: how often the answers were equal."""
    return _judged(
        row["id"],
        "units",
        row["quantity"],
        "equal answers",
        expected=row["n"],
        value=row["equal"],
        n=row["n"],
        holds=row["equal"] == row["n"],
    )


def judge_choice(row: Row) -> Judged:
    """How often one side's router took a worker of known probability."""
    taken, n, p = int(row["taken"]), int(row["n"]), float(row["probability"])
    certain = p in (0.0, 1.0)
    test = binomtest(taken, n, p)
    interval = test.proportion_ci(CONFIDENCE)
    return _judged(
        f"{row['id']}-{row['side']}",
        "choices",
        row["state"],
        "frequency",
        side=row["side"],
        workers=row["workers"],
        costs=row["costs"],
        cost=row["cost"],
        temperature=row["temperature"],
        expected=p,
        value=taken / n,
        lo=float(interval.low),
        hi=float(interval.high),
        n=n,
        z=None if certain else (taken - n * p) / math.sqrt(n * p * (1 - p)),
        p=None if certain else float(test.pvalue),
        holds=taken == n * p if certain else None,
    )


def judge_runs(runs: Sequence[Row]) -> list[Judged]:
    """Two rows, TTFT and reuse, for each router of one group of runs.

    `lo` and `hi` are the ends of our interval over runs of one trace, `expected_lo` and
    `expected_hi` those of theirs.
    """
    return [_compare(router, field) for router in _by_router(runs) for field in QUANTITIES]


def _by_router(runs: Iterable[Row]) -> list[list[Row]]:
    found: dict[Any, list[Row]] = {}
    for run in runs:
        found.setdefault(run["temperature"], []).append(run)
    return list(found.values())


def _strata(runs: Iterable[Row], side: str, field: str) -> list[list[float]]:
    strata: dict[int, list[float]] = {}
    for run in runs:
        if run["side"] == side:
            strata.setdefault(int(run["stratum"]), []).append(float(run[field]))
    return list(strata.values())


def _compare(runs: Sequence[Row], field: str) -> Judged:
    theirs, mine = (_strata(runs, side, field) for side in (DYNAMO, OURS))
    quantity, unit = QUANTITIES[field]
    temperature, group = runs[0]["temperature"], str(runs[0]["group"])
    router = "round robin" if temperature is None else f"τ = {temperature:g}"
    name = "round-robin" if temperature is None else f"{temperature:g}"
    expected, found = _mean(theirs), _mean(mine)
    default = _strata(runs, DEFAULT, field)
    fields = {
        "unit": unit,
        "temperature": temperature,
        "expected": expected,
        "value": found,
        "n": sum(map(len, mine)),
        "default": _mean(default) if default else None,
    }
    if temperature is None:
        fields["holds"] = abs(found - expected) <= SAME * expected
    else:
        difference = compare_runs(theirs, mine)
        fields |= {
            "difference": difference.value,
            "error": difference.error,
            "z": difference.z,
            "p": difference.p_value,
        }
        if len(theirs) == 1:
            ends = mean_interval(theirs[0]), mean_interval(mine[0])
            fields |= {"expected_lo": ends[0].lo, "expected_hi": ends[0].hi}
            fields |= {"lo": ends[1].lo, "hi": ends[1].hi}
    return _judged(f"{group}-{name}-{field}", group, router, quantity, **fields)


def _mean(strata: Sequence[Sequence[float]]) -> float:
    return math.fsum(map(math.fsum, strata)) / sum(map(len, strata))


def _summary(rows: Sequence[Judged], tested: Sequence[Judged]) -> list[Judged]:
    decided = [row for row in rows if row["holds"] is not None]
    found = [
        _counted("checks", "checks that hold", sum(row["holds"] for row in decided), len(decided)),
        _counted("tests", "tests rejected", sum(not row["holds"] for row in tested), len(tested)),
    ]
    for side in (DYNAMO, OURS):
        z = [abs(r["z"]) for r in tested if r["group"] == "choices" and r["side"] == side]
        within = sum(value <= STANDARD_ERRORS for value in z)
        found.append(_counted(f"choices-{side}", "within three standard errors", within, len(z)))
        found[-1]["largest"] = max(z)
    requests = [row for row in rows if row["group"] == "requests" and row["holds"] is not None]
    for name in CLASSES:
        count = sum(row[name] for row in requests)
        found.append(
            _counted(f"requests-{name}", "requests", count, sum(row["n"] for row in requests))
        )
    return found


def _counted(name: str, quantity: str, value: int, n: int) -> Judged:
    return _judged(f"summary-{name}", "summary", "all", quantity, value=value, n=n)
