import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from anarchy.measure.intervals import (
    Interval,
    block_bootstrap,
    mean_interval,
    paired_difference,
    paired_ratio,
)

# ------------------------------------------------------------------ t intervals


def test_mean_interval_of_a_worked_example():
    # mean 3, standard deviation sqrt(2.5), t(4 degrees, 0.975) = 2.7764451052 from the tables
    interval = mean_interval([1, 2, 3, 4, 5])
    half = 2.7764451052 * math.sqrt(2.5 / 5)
    assert interval.value == 3
    assert interval.lo == pytest.approx(3 - half, rel=1e-9)
    assert interval.hi == pytest.approx(3 + half, rel=1e-9)
    assert interval.n == 5


def test_mean_interval_covers_the_mean_as_often_as_it_says():
    trials, n = 4000, 5
    samples = np.random.default_rng(20260601).normal(10, 3, size=(trials, n))
    covered = sum(not mean_interval(list(row)).excludes(10) for row in samples)
    low, high = binom.interval(0.9999, trials, 0.95)
    assert low <= covered <= high
    # The tolerance tells t from the normal quantile, which covers only 87.8 % at n = 5.
    half = 1.959964 * samples.std(axis=1, ddof=1) / math.sqrt(n)
    normal = int((abs(samples.mean(axis=1) - 10) <= half).sum())
    assert normal < low


def test_one_value_has_no_interval():
    assert mean_interval([7.5]) == Interval(7.5, None, None, 1)
    assert not mean_interval([7.5]).excludes(0)


def test_constant_values_have_an_interval_of_width_zero():
    assert mean_interval([0.1] * 10) == Interval(0.1, 0.1, 0.1, 10)


def test_an_infinite_replication_makes_the_mean_infinite_without_interval():
    assert mean_interval([1.0, math.inf]) == Interval(math.inf, None, None, 2)


def test_the_order_of_replications_does_not_matter():
    values = [0.1, 1e16, -1e16, 0.3, 2.7]
    assert mean_interval(values) == mean_interval(values[::-1])


@pytest.mark.parametrize(
    ("values", "confidence"), [([], 0.95), ([1.0, math.nan], 0.95), ([1.0, 2.0], 1.0)]
)
def test_mean_interval_refuses_what_has_no_mean(values, confidence):
    with pytest.raises(ValueError, match=r"no values|NaN|confidence"):
        mean_interval(values, confidence)


# ------------------------------------------------------------------------ pairs


def test_pairing_finds_a_difference_that_overlapping_intervals_hide():
    noise = [0.0, 10.0, 20.0, 30.0, 40.0]
    better = [x + 1 + 0.01 * k for k, x in enumerate(noise)]
    a, b = mean_interval(better), mean_interval(noise)
    assert a.lo is not None
    assert b.hi is not None
    assert a.lo < b.hi  # each alone: no telling
    assert paired_difference(better, noise).excludes(0)


def test_paired_difference_of_equal_runs_is_exactly_zero():
    assert paired_difference([0.1, 0.2], [0.1, 0.2]) == Interval(0, 0, 0, 2)
    assert not paired_difference([0.1, 0.2], [0.1, 0.2]).excludes(0)


def test_one_pair_never_differs():
    assert not paired_difference([5], [1]).excludes(0)


def test_pairs_need_equal_lengths():
    with pytest.raises(ValueError, match="equally many"):
        paired_difference([1, 2], [1])
    with pytest.raises(ValueError, match="equally many"):
        paired_ratio([1, 2], [1])


def test_paired_ratio_of_proportional_values_is_exact():
    ratio = paired_ratio([22.0, 24.0, 26.0], [11.0, 12.0, 13.0])
    assert ratio == Interval(2.0, 2.0, 2.0, 3)


def test_paired_ratio_limits_are_where_the_paired_test_turns():
    a, b = [3.0, 5.0, 4.5, 6.0], [2.0, 2.5, 2.2, 3.5]
    ratio = paired_ratio(a, b)
    assert ratio is not None
    for limit in (ratio.lo, ratio.hi):
        scaled = paired_difference(a, [limit * y for y in b])
        assert min(abs(scaled.lo), abs(scaled.hi)) < 1e-12


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=2, max_size=8))
def test_the_ratio_excludes_one_exactly_when_the_difference_excludes_zero(pairs):
    a, b = [float(x) for x, _ in pairs], [float(y) for _, y in pairs]
    difference, ratio = paired_difference(a, b), paired_ratio(a, b)
    assert ratio is not None
    if ratio.lo is None or min(abs(difference.lo), abs(difference.hi)) < 1e-9:
        return  # unbounded, or on the edge of rounding
    assert ratio.excludes(1) == difference.excludes(0)


def test_paired_ratio_covers_the_true_ratio_as_often_as_it_says():
    rng = np.random.default_rng(11)
    trials, covered = 2000, 0
    for _ in range(trials):
        shared = rng.normal(10, 2, 6)
        ratio = paired_ratio(list(3 * shared + rng.normal(0, 1, 6)), list(shared))
        covered += ratio is not None and not ratio.excludes(3)
    low, high = binom.interval(0.9999, trials, 0.95)
    assert low <= covered <= high


def test_paired_ratio_is_unbounded_where_the_baseline_may_be_zero():
    assert paired_ratio([1.0, 2.0], [-9.0, 10.0]) == Interval(3.0, None, None, 2)


@pytest.mark.parametrize("baseline", [[0.0, 0.0], [-1.0, -2.0], [1.0, math.inf]])
def test_paired_ratio_is_refused_without_a_positive_finite_baseline(baseline):
    assert paired_ratio([1.0, 2.0], baseline) is None


def test_paired_ratio_of_one_pair_has_no_interval():
    assert paired_ratio([3.0], [2.0]) == Interval(1.5, None, None, 1)


# -------------------------------------------------------------------- bootstrap


def _autoregressive(rng, n, phi):
    noise = rng.normal(size=n + 100)
    values = np.zeros(n + 100)
    for k in range(1, n + 100):
        values[k] = phi * values[k - 1] + noise[k]
    return values[100:]


def test_blocks_cover_the_mean_of_dependent_requests_and_single_rows_do_not():
    rng = np.random.default_rng(5)
    trials, covered = 200, {1: 0, 50: 0}
    for _ in range(trials):
        values = _autoregressive(rng, 2000, 0.7)
        for block in covered:
            interval = block_bootstrap(
                lambda rows, v=values: v[rows].mean(), len(values), block, 200, rng
            )
            covered[block] += not interval.excludes(0)
    # Blocks of 50 lose about 6 % of the variance (the covariances across their ends): 94 % to 95 %.
    assert binom.ppf(5e-5, trials, 0.935) <= covered[50] <= binom.ppf(1 - 5e-5, trials, 0.955)
    # Single rows see 1 / 5.7 of the variance: 59 %.
    assert covered[1] < 0.75 * trials


def test_bootstrap_covers_a_high_percentile():
    rng = np.random.default_rng(6)
    trials, covered = 120, 0
    for _ in range(trials):
        values = rng.exponential(size=1000)
        interval = block_bootstrap(
            lambda rows, v=values: np.percentile(v[rows], 90), len(values), 10, 200, rng
        )
        covered += not interval.excludes(math.log(10))
    assert binom.ppf(5e-5, trials, 0.93) <= covered <= binom.ppf(1 - 5e-5, trials, 0.96)


def test_bootstrap_is_a_function_of_its_generator():
    values = np.random.default_rng(1).normal(size=500)

    def draw(seed):
        rng = np.random.default_rng(seed)
        return block_bootstrap(lambda rows: values[rows].mean(), 500, 20, 100, rng)

    assert draw(3) == draw(3)
    assert draw(3) != draw(4)


@pytest.mark.parametrize(("n", "block"), [(100, 1), (100, 7), (100, 50)])
def test_resamples_are_whole_circular_blocks(n, block):
    seen = []

    def statistic(rows):
        seen.append(rows.copy())
        return 0.0

    block_bootstrap(statistic, n, block, 20, np.random.default_rng(0))
    assert np.array_equal(seen[0], np.arange(n))
    assert len(seen) == 21
    for rows in seen[1:]:
        assert len(rows) == n
        steps = np.diff(rows) % n
        breaks = np.flatnonzero(steps != 1) + 1
        assert all(b % block == 0 for b in breaks)
    starts = {int(rows[0]) for rows in seen[1:]}
    assert len(starts) > 5  # and not always the same block


@pytest.mark.parametrize("n", [1, 10, 99])
def test_a_block_longer_than_half_the_data_gives_no_interval(n):
    values = np.arange(n, dtype=float)
    interval = block_bootstrap(
        lambda rows: values[rows].mean(), n, 50, 100, np.random.default_rng()
    )
    assert interval == Interval((n - 1) / 2, None, None, n)


def test_bootstrap_of_constant_values_has_width_zero():
    values = np.full(100, 0.25)
    interval = block_bootstrap(
        lambda rows: values[rows].mean(), 100, 10, 100, np.random.default_rng()
    )
    assert interval == Interval(0.25, 0.25, 0.25, 100)


@pytest.mark.parametrize("sizes", [(0, 1, 100), (10, 0, 100), (10, 1, 0)])
def test_bootstrap_refuses_empty_sizes(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        block_bootstrap(lambda rows: 0.0, *sizes, np.random.default_rng())
