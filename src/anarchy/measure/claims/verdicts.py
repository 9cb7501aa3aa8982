"""From claims, rules and results to one verdict a claim, and the evidence behind it."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anarchy.common.errors import InputError, faults_in
from anarchy.config.claims.evidence import Comparison, Selection
from anarchy.config.claims.ledger import Claim, Ledger
from anarchy.measure.claims.rules import RULES, Found
from anarchy.measure.claims.samples import Row, Sample, grouped, samples

Rows = Sequence[Row]
Results = Mapping[str, Rows]
"""The rows of each results file that a build made, by its name."""

VERDICTS = ("reproduced", "reproduced-with-mechanism", "contradicted", "undecidable")

AS_PUBLISHED = "as published"
"""The first part of a claim's tests; the others are called like their mechanisms."""

NO_ROWS = "this build has no results for it"
OVERLAP = "its intervals overlap the ends that decide"


@dataclass(frozen=True)
class Finding:
    """What a test found in one group of rows, and whether it holds there."""

    part: str
    test: Comparison
    group: str
    found: Found
    holds: bool | None
    n: int


def check_claims(ledger: Ledger) -> None:
    """Refuse a rule that is not registered, or that a test does not give what it needs."""
    for claim in ledger.claims:
        for test in claim.every_test:
            rule = RULES.find(test.rule, claim.id)
            with faults_in(f"{claim.id}: rule '{test.rule}'"):
                if rule.bounded and test.at_least is None and test.at_most is None:
                    raise InputError("needs 'at_least', 'at_most' or both")
                if rule.compares != (test.of is not None):
                    raise InputError(f"{'needs' if rule.compares else 'takes no'} 'of'")


def judge(
    ledger: Ledger, results: Results, coarse: bool = False
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The verdicts and their evidence.

    One row a claim: {id, text, published, mark, value, lo, hi, unit, verdict, mechanism, where,
    rule}.
    `value`, `lo` and `hi` are those of the finding that the verdict rests on. `mechanism` says
    why: the mechanism, the reason of what is undecidable, or a note. The evidence has one row for
    each finding: {id, part, text, rule, group, value, lo, hi, n, unit, at_least, at_most, holds,
    file, rows}.
    Raises InputError where no row matches and the claim does not say that it is `open`; a `coarse`
    build leaves points out on purpose.
    """
    rows, evidence = [], []
    for claim in ledger.claims:
        error = (1 - ledger.confidence) / len(ledger.claims)
        found = list(_findings(claim, results, error, coarse))
        rows.append(_row(claim, found))
        evidence += [_evidence(claim, finding) for finding in found]
    return rows, evidence


def count_verdicts(rows: Rows) -> list[dict[str, Any]]:
    """How many claims have each verdict: {id, value, unit}."""
    found = [row["verdict"] for row in rows]
    return [{"id": v, "value": found.count(v), "unit": "claims"} for v in VERDICTS]


def _findings(claim: Claim, results: Results, error: float, coarse: bool) -> Iterator[Finding]:
    """All findings of a claim; nothing of a test whose rows are not there."""
    found = {id(s): _samples(claim, s, results, coarse) for s in claim.selections}
    intervals = sum(not sample.exact for group in found.values() for sample in group)
    share = error / max(intervals, 1)
    parts = [(AS_PUBLISHED, claim.tests)]
    parts += [(mechanism.text, mechanism.tests) for mechanism in claim.mechanisms]
    for part, tests in parts:
        for test in tests:
            of = grouped(found[id(test.of)] if test.of else [], test.per)
            for group, chosen in grouped(found[id(test.rows)], test.per).items():
                if test.of is None or group in of:
                    yield _finding(part, test, group, chosen, of.get(group, []), share)


def _samples(claim: Claim, selection: Selection, results: Results, coarse: bool) -> list[Sample]:
    found = samples(selection, results.get(selection.file, []))
    if not (found or coarse or claim.open):
        raise InputError(f"claims: {claim.id}: no row of {_described(selection)}")
    return found


def _finding(
    part: str,
    test: Comparison,
    group: str,
    chosen: Sequence[Sample],
    of: Sequence[Sample],
    error: float,
) -> Finding:
    rule = RULES[test.rule]
    found = rule.statistic(chosen, of, error)
    n = min(sample.n for sample in [*chosen, *of])
    return Finding(part, test, group, found, rule.judge(test, found), n)


def _outcome(tests: Sequence[Comparison], found: Iterable[Finding]) -> bool | None:
    """Whether all tests hold; False if one that may contradict fails; None otherwise."""
    known = list(found)
    if any(f.holds is False and f.test.denies for f in known):
        return False
    complete = all(any(f.test is test for f in known) for test in tests)
    return True if tests and complete and all(f.holds for f in known) else None


def _first_holding(claim: Claim, found: Sequence[Finding]) -> str | None:
    """The first mechanism of which all tests hold."""
    for mechanism in claim.mechanisms:
        if _outcome(mechanism.tests, [f for f in found if f.part == mechanism.text]):
            return mechanism.text
    return None


def _row(claim: Claim, found: Sequence[Finding]) -> dict[str, Any]:
    plain = [f for f in found if f.part == AS_PUBLISHED]
    verdict, shown, why = "undecidable", found[:1], claim.open
    if _outcome(claim.tests, plain):
        verdict, shown, why = "reproduced", plain, claim.note
    elif holding := _first_holding(claim, found):
        verdict, why = "reproduced-with-mechanism", holding
        shown = [f for f in found if f.part == holding]
    elif _outcome(claim.tests, plain) is False:
        verdict, shown, why = "contradicted", [f for f in plain if f.holds is False], claim.note
    elif not why:
        why = f"{claim.note} ({OVERLAP})" if claim.note else OVERLAP
        why = why if found else NO_ROWS
    value, lo, hi, unit = _numbers(shown[0]) if shown else (None, None, None, "1")
    return {
        "id": claim.id,
        "text": claim.text,
        "published": claim.published,
        "mark": claim.mark,
        "value": value,
        "lo": lo,
        "hi": hi,
        "unit": unit,
        "verdict": verdict,
        "mechanism": why,
        "where": claim.where,
        "rule": shown[0].test.rule if shown else None,
    }


def _numbers(finding: Finding) -> tuple[float, float | None, float | None, str]:
    """Value, ends and unit; an end that is infinite is none."""
    found = finding.found
    lo, hi = (end if math.isfinite(end) else None for end in (found.lo, found.hi))
    return found.value, lo, hi, finding.test.unit


def _evidence(claim: Claim, finding: Finding) -> dict[str, Any]:
    test, found = finding.test, finding.found
    return {
        "id": claim.id,
        "part": finding.part,
        "text": test.text,
        "rule": test.rule,
        "group": finding.group,
        "value": found.value,
        "lo": found.lo,
        "hi": found.hi,
        "n": finding.n,
        "unit": test.unit,
        "at_least": test.at_least,
        "at_most": test.at_most,
        "holds": finding.holds,
        "file": test.rows.file,
        "rows": _described(test.rows),
    }


def _described(selection: Selection) -> str:
    """Which rows of which file, in words."""
    columns = (f"{name} = {_shown(wanted)}" for name, wanted in selection.columns.items())
    field = "" if selection.field == "value" else f", their {selection.field}"
    return f"{selection.file}: {', '.join(columns) or 'all'}{field}"


def _shown(wanted: Any) -> str:
    return " or ".join(map(str, wanted)) if isinstance(wanted, list) else str(wanted)
