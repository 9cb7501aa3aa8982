"""Orders, rank correlations and slopes, against SciPy's and by hand."""

import numpy as np
import pytest
from scipy.stats import kendalltau, linregress, spearmanr

from anarchy.measure.bracket.thermometer import KNOWN, order, rank_correlations, slopes

RUNS, MEMBERS = 40, 7
RNG = np.random.default_rng(3)
LOSS = RNG.uniform(1, 3, RUNS)
INDEX = LOSS[:, None] ** np.linspace(-1, 2, MEMBERS) * RNG.lognormal(0, 0.2, (RUNS, MEMBERS))


def test_where_losses_are_known_the_order_is_kendalls() -> None:
    found, pairs = order(INDEX, LOSS, LOSS)
    assert pairs == RUNS * (RUNS - 1) // 2
    expected = [kendalltau(INDEX[:, member], LOSS).statistic for member in range(MEMBERS)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_only_pairs_that_do_not_overlap_count() -> None:
    least, most = np.array([1.0, 1.2, 2.0]), np.array([1.5, 1.3, 2.5])
    index = np.array([[5.0, 1.0], [9.0, 1.0], [8.0, 1.0]])
    found, pairs = order(index, least, most)
    assert pairs == 2  # the third run has lost more than the others
    assert found.tolist() == [0.0, 0.0]  # one pair each way; all indices alike
    assert order(index, np.ones(3), np.full(3, 2.0))[1] == 0


def test_a_member_without_an_index_in_many_runs_has_no_order() -> None:
    index = INDEX.copy()
    index[0, 0], index[:10, 1] = np.nan, np.nan
    found, _ = order(index, LOSS, LOSS)
    assert np.isfinite(found[0])
    assert np.isnan(found[1])
    assert KNOWN < 1


def test_rank_correlations_and_slopes_are_scipys() -> None:
    index = INDEX.copy()
    index[3:6, 2] = np.nan
    losses = np.stack([LOSS, LOSS[::-1]], axis=1)
    ranks, rises = rank_correlations(index, losses), slopes(index, losses)
    for member in range(MEMBERS):
        runs = np.isfinite(index[:, member])
        for k in range(2):
            x, y = losses[runs, k], index[runs, member]
            assert ranks[k, member] == pytest.approx(spearmanr(x, y).statistic, rel=1e-12)
            slope = linregress(np.log(x), np.log(y)).slope
            assert rises[k, member] == pytest.approx(slope, rel=1e-9)


def test_an_index_that_is_the_loss_is_a_thermometer() -> None:
    exact = LOSS[:, None] * 7
    assert order(exact, LOSS, LOSS)[0] == 1
    assert rank_correlations(exact, LOSS[:, None]) == pytest.approx(1)
    assert slopes(exact, LOSS[:, None]) == pytest.approx(1)
    constant = np.full((RUNS, 1), 4.0)
    assert order(constant, LOSS, LOSS)[0] == 0
    assert slopes(constant, LOSS[:, None]) == pytest.approx(0)
    assert np.isnan(rank_correlations(constant, LOSS[:, None])).all()
