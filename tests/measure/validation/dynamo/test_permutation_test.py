"""The permutation test over runs: exact under the null, and with the power it claims."""

import numpy as np
import pytest
from scipy.stats import binom

from anarchy.measure.validation.dynamo.permutation_test import POWER, compare_runs, detectable

PERMUTATIONS = 400


def runs(rng: np.random.Generator, shift: float = 0.0, strata: int = 12) -> tuple[list, list]:
    """Heavy-tailed runs, two of each side a stratum; strata differ much more than runs do."""
    level = 10 * rng.standard_normal((strata, 1))
    theirs = level + rng.standard_t(3, (strata, 2))
    mine = level + rng.standard_t(3, (strata, 2)) + shift
    return theirs.tolist(), mine.tolist()


def test_labels_change_the_sign_alone() -> None:
    theirs, mine = runs(np.random.default_rng(1), shift=0.5)
    one, other = compare_runs(theirs, mine), compare_runs(mine, theirs)
    assert one.value == pytest.approx(-other.value)
    assert one.p_value == pytest.approx(other.p_value, abs=0.02)


def test_levels_of_strata_do_not_matter() -> None:
    theirs, mine = runs(np.random.default_rng(2), shift=0.5)
    moved = [[[x + 100 * k for x in row] for k, row in enumerate(side)] for side in (theirs, mine)]
    one, other = compare_runs(theirs, mine), compare_runs(*moved)
    assert one.value == pytest.approx(other.value)
    assert one.error == pytest.approx(other.error)


def test_equal_runs_differ_by_nothing() -> None:
    found = compare_runs([[1.0, 2.0]] * 5, [[2.0, 1.0]] * 5)
    assert found.value == 0
    assert found.p_value == 1
    assert compare_runs([[3.0]], [[3.0]]).z == 0


def test_false_alarms_are_as_rare_as_the_level_says() -> None:
    """Of 300 tests at 5 % under the null, with tails of three degrees of freedom."""
    rng = np.random.default_rng(3)
    alarms = sum(compare_runs(*runs(rng), PERMUTATIONS).p_value <= 0.05 for _ in range(300))
    assert binom.ppf(0.001, 300, 0.05) <= alarms <= binom.ppf(0.999, 300, 0.05)


def test_a_detectable_difference_is_found() -> None:
    """Shifts of the size stated are found about as often as `POWER` says."""
    rng = np.random.default_rng(4)
    error = np.mean([compare_runs(*runs(rng, strata=40), PERMUTATIONS).error for _ in range(20)])
    shift = detectable(float(error), 0.05)
    found = sum(
        compare_runs(*runs(rng, shift, strata=40), PERMUTATIONS).p_value <= 0.05 for _ in range(100)
    )
    assert abs(found / 100 - POWER) < 0.1
