"""What is said of a whole knee map."""

from typing import Any

import pytest

from anarchy.common.errors import InputError
from anarchy.measure.knee.map_results import fact_rows, summary_rows, variant_rows, whole_map
from tests.measure.knee.conftest import study


def row(tokens: int, knees: tuple[int, int] | None, facts: Any = (None, None)) -> dict[str, Any]:
    """A member with these knees, or a combination that the laws have decided."""
    values: dict[str, Any] = {
        "engine.prefill.batch_requests": 1,
        "workload.output_tokens": tokens,
        "side": None if knees else "below",
        "audit": None if knees else tokens != 8,
        "feasible": knees is not None,
        "chosen": tokens == 144,
        "varied": tokens == 144,
    }
    for name, knee, fact in zip("ab", knees or (None, None), facts, strict=True):
        values |= {f"knee:{name}": knee, f"bound:{name}": 100.0, f"fact:0:{name}": fact}
        values |= {f"least:{name}": 99.0, f"most:{name}": 110.0}
    return values


ROWS = [row(144, (121, 98), (1.2, 2.0)), row(8, None), row(40, None)]


def test_the_map_is_in_order_and_has_no_hole() -> None:
    assert [r["workload.output_tokens"] for r in whole_map(study(), ROWS)] == [8, 40, 144]
    with pytest.raises(InputError, match=r"no row for .*40"):
        whole_map(study(), ROWS[:2])


def test_facts_are_judged_on_members_in_all_scenarios() -> None:
    (fact,) = fact_rows(study(), ROWS)
    assert (fact["lo"], fact["hi"], fact["n"], fact["met"]) == (1.2, 2.0, 1, 0)
    least = {"claim": "C03", "text": "x", "measure": "poa-hat:plain", "clients": 8, "at_least": 1}
    assert fact_rows(study(facts=[least]), ROWS)[0]["met"] == 1


def test_facts_of_an_empty_set_are_met_by_nobody() -> None:
    (fact,) = fact_rows(study(), ROWS[1:])
    assert (fact["lo"], fact["n"], fact["met"]) == (None, 0, 0)


def test_the_summary_counts_who_decided_and_how_far_knees_lie_outside() -> None:
    found = {entry["id"]: entry["value"] for entry in summary_rows(study(), ROWS)}
    assert (found["combinations"], found["simulated"], found["by-theory"]) == (3, 1, 2)
    assert (found["feasible"], found["chosen-feasible"]) == (1, 1)
    assert (found["audited"], found["audited-right"]) == (2, 1)
    assert (found["least-knee"], found["largest-knee"]) == (98, 121)
    assert found["bracket-error"] == pytest.approx(121 / 110 - 1)
    assert found["bound-error:1"] == pytest.approx(0.21)


def test_the_knees_of_what_is_used_stand_by_variant_and_scenario() -> None:
    rows = [{**entry, "variant": "slow"} for entry in ROWS]
    found = variant_rows(study(), rows)
    assert [(r["variant"], r["scenario"], r["value"]) for r in found] == [
        ("slow", "a", 121),
        ("slow", "b", 98),
    ]
    assert {(r["lo"], r["hi"]) for r in found} == {(99.0, 110.0)}
