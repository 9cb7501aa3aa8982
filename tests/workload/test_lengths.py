"""Laws of lengths: whole tokens, quantiles, means, what they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.workload import lengths
from anarchy.workload.lengths import (
    LAWS,
    Exponential,
    Fixed,
    Geometric,
    LogNormal,
    Quantiles,
    make_lengths,
)
from anarchy.workload.traces import MOST_TOKENS

SIGMAS = 5
"""How many standard errors a sample mean may be off; fixed seeds, so never by chance."""
ROUNDING = 1.0
"""Tokens by which rounding may move a mean."""
DRAWS = 200_000

laws = st.one_of(
    st.builds(Fixed, st.integers(1, MOST_TOKENS)),
    st.builds(Geometric, st.floats(1, 1e6)),
    st.builds(Exponential, st.floats(0.01, 1e6)),
    st.builds(LogNormal, st.floats(0.01, 1e5), st.floats(0, 4)),
    st.lists(st.floats(0, 1e6), min_size=3, max_size=3).map(
        lambda values: Quantiles((0, 0.3, 1), tuple(sorted(values)))
    ),
)


@given(laws, st.integers(0, 2**32))
def test_lengths_are_whole_positive_rising_and_repeatable(law, seed):
    draws = law.sample(np.random.default_rng(seed), 50)
    assert draws.dtype == np.int64
    assert draws.min() >= 1
    assert draws.max() <= MOST_TOKENS
    assert (draws == law.sample(np.random.default_rng(seed), 50)).all()
    levels = np.array([0.0, 0.01, 0.25, 0.5, 0.75, 0.99, 1 - 2**-53])
    assert (np.diff(law.quantiles(levels)) >= 0).all()


@pytest.mark.parametrize(
    "law",
    [
        Fixed(7),
        Geometric(1),
        Geometric(1.5),
        Geometric(300),
        Exponential(300),
        Exponential(0.2),
        LogNormal(500, 1.0),
        LogNormal(500, 0),
        Quantiles((0, 0.5, 1), (10, 20, 1000)),
    ],
    ids=repr,
)
def test_samples_have_the_mean(law):
    draws = law.sample(np.random.default_rng(1), DRAWS)
    error = SIGMAS * draws.std() / math.sqrt(DRAWS)
    rounding = 0 if isinstance(law, Fixed | Geometric) else ROUNDING
    assert draws.mean() == pytest.approx(law.mean, abs=error + rounding)


@pytest.mark.parametrize("mean", [0.3, 2.0, 40.0])
def test_the_rounded_exponential_has_the_stated_mean(mean):
    draws = Exponential(mean).sample(np.random.default_rng(2), DRAWS)
    stated = 1 + math.exp(-1.5 / mean) / (1 - math.exp(-1 / mean))
    assert draws.mean() == pytest.approx(stated, abs=SIGMAS * draws.std() / math.sqrt(DRAWS))


@pytest.mark.parametrize("mean", [1.25, 3.0, 90.0])
def test_geometric_probabilities(mean):
    """P(X <= k) = 1 - (1 - 1/mean)^k, read off the quantile function on both sides of it."""
    for k in (1, 2, 5):
        level = 1 - (1 - 1 / mean) ** k
        low, high = Geometric(mean).quantiles(np.array([level - 1e-9, level + 1e-9]))
        assert (low, high) == (k, k + 1)


def test_quantiles_by_hand():
    levels = np.array([0.0, 0.25, 0.5, 0.75])
    law = Quantiles((0, 0.5, 1), (0, 20, 100))
    assert law.quantiles(levels).tolist() == [1, 10, 20, 60]
    assert law.mean == 35
    assert LogNormal(80, 1.5).quantiles(levels)[2] == 80
    assert Exponential(100).quantiles(levels).tolist() == [1, 29, 69, 139]
    normal_84 = 0.8413447460685429  # one standard deviation above the median
    assert LogNormal(80, 1.5).quantiles(np.array([normal_84])) == round(80 * math.exp(1.5))


def test_equal_generators_order_lengths_alike():
    short = Exponential(10).sample(np.random.default_rng(3), 1000)
    long = LogNormal(5000, 0.5).sample(np.random.default_rng(3), 1000)
    order = np.lexsort((short, long))  # rounding makes ties
    assert (np.diff(short[order]) >= 0).all()
    assert short[np.argmax(long)] == short.max()


def test_a_law_is_found_by_its_name():
    assert sorted(LAWS) == ["exponential", "fixed", "geometric", "log-normal", "quantiles"]
    assert make_lengths("log-normal", {"median": 9, "sigma": 1}) == LogNormal(9, 1)
    with pytest.raises(InputError, match="'fixed' is registered already"):
        lengths.register("fixed")(Fixed)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("lognormal", {}, "unknown law of lengths 'lognormal'; did you mean 'log-normal'?"),
        ("fixed", {"token": 3}, "input.token: unknown key; did you mean 'tokens'?"),
        ("log-normal", {"median": 3}, "input.sigma: missing; law 'log-normal' needs median, sigma"),
        ("fixed", {"tokens": 0}, "input.tokens: 0, allowed are numbers from 1"),
        ("fixed", {"tokens": 2.5}, "input.tokens: 2.5, allowed are whole numbers"),
        ("fixed", {"tokens": True}, "input.tokens: True, allowed"),
        ("geometric", {"mean_tokens": 0.5}, "input.mean_tokens: 0.5, allowed"),
        ("geometric", {"mean_tokens": math.nan}, "input.mean_tokens: nan, allowed"),
        ("exponential", {"mean_tokens": 0}, "input.mean_tokens: 0, allowed are numbers above 0"),
        ("log-normal", {"median": 5, "sigma": -1}, "input.sigma: -1, allowed"),
        ("log-normal", {"median": 5, "sigma": 50}, "input.sigma: 50 makes the mean exceed"),
        ("quantiles", {"levels": [0, 1], "values": [1]}, "input.values: 1 for 2 levels"),
        ("quantiles", {"levels": [0, 0.9], "values": [1, 2]}, "must rise from 0 to 1"),
        ("quantiles", {"levels": [0, 0, 1], "values": [1, 2, 3]}, "must rise from 0 to 1"),
        ("quantiles", {"levels": [0, 1], "values": [2, 1]}, "input.values: they must not fall"),
        ("quantiles", {"levels": [0, 1], "values": [-2, 1]}, "input.values: -2, allowed"),
    ],
)
def test_bad_parameters_are_refused(name, parameters, message):
    with pytest.raises(InputError) as fault:
        make_lengths(name, parameters, "input")
    assert message in str(fault.value)
