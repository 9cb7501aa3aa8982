"""Arrival processes: their rates, their dispersion, what they refuse."""

import math
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.workload.arrivals import faster, mmpp, mmpp_dispersion, mmpp_rate, phases, poisson

SIGMAS = 5
"""How many standard errors a sample mean may be off; fixed seeds, so never by chance."""

BURSTY = ([2.0, 10.0], [[-0.1, 0.1], [0.4, -0.4]])
RING = ([0.0, 3.0, 12.0], [[-0.2, 0.2, 0.0], [0.0, -0.5, 0.5], [1.0, 0.0, -1.0]])


def rng(seed=1):
    return np.random.default_rng(seed)


def until(times, end):
    found = []
    for time in times:
        if time > end:
            return np.array(found)
        found.append(time)
    return np.array(found)


rates = st.floats(0.01, 50)
steps = st.lists(st.tuples(st.floats(0.1, 20), st.floats(0, 20)), min_size=1, max_size=6)


@settings(max_examples=30)
@given(rates, st.integers(0, 2**32), steps)
def test_times_do_not_fall_and_repeat_with_the_seed(rate, seed, stages):
    switching = [[-rate, rate], [1.0, -1.0]]
    for make in (
        lambda: poisson(rng(seed), rate),
        lambda: mmpp(rng(seed), [rate, 1.0], switching),
        lambda: phases(rng(seed), stages),
    ):
        times = list(islice(make(), 300))
        assert times == list(islice(make(), 300))
        assert all(0 <= a <= b for a, b in pairwise(times))
        assert all(type(time) is float for time in times)


def test_poisson_counts_have_equal_mean_and_variance():
    times = until(poisson(rng(), 4.0), 20_000)
    counts = np.bincount(times.astype(int), minlength=20_000)
    assert counts.mean() == pytest.approx(4.0, abs=SIGMAS * math.sqrt(4 / 20_000))
    # Var of the sample index of dispersion of n Poisson counts is 2 / (n - 1).
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=SIGMAS * math.sqrt(2 / 19_999))


@pytest.mark.parametrize("process", [BURSTY, RING])
def test_mmpp_has_its_mean_rate_and_its_dispersion(process):
    end, window = 200_000, 500
    times = until(mmpp(rng(), *process), end)
    rate, index = mmpp_rate(*process), mmpp_dispersion(*process)
    assert len(times) / end == pytest.approx(rate, abs=SIGMAS * math.sqrt(rate * index / end))
    counts = np.bincount((times // window).astype(int), minlength=end // window)
    # A window is 100 relaxation times, which leaves 2 % of the limit; the rest is sampling.
    error = SIGMAS * math.sqrt(2 / (end / window)) + 0.02
    assert counts.var() / counts.mean() == pytest.approx(index, rel=error)


@given(rates, rates, rates, rates)
def test_two_states_have_the_dispersion_of_the_textbook(r0, r1, s0, s1):
    """Heffes and Lucantoni, IEEE J. Sel. Areas Commun. 4 (1986), equation for two states."""
    switching = [[-s0, s0], [s1, -s1]]
    mean = (r0 * s1 + r1 * s0) / (s0 + s1)
    index = 1 + 2 * s0 * s1 * (r0 - r1) ** 2 / ((s0 + s1) ** 3 * mean)
    assert mmpp_rate([r0, r1], switching) == pytest.approx(mean)
    assert mmpp_dispersion([r0, r1], switching) == pytest.approx(index)


def test_states_of_equal_rates_are_poisson():
    assert mmpp_dispersion([3.0, 3.0], BURSTY[1]) == pytest.approx(1.0)


def test_a_silent_state_has_no_arrivals():
    """State 0 lasts 1000 s on average and is silent, state 1 lasts 1 s."""
    times = until(mmpp(rng(), [0.0, 50.0], [[-0.001, 0.001], [1.0, -1.0]]), 100_000)
    busy = len(np.unique(times.astype(int))) / 100_000
    assert 0.0003 < busy < 0.006


def test_each_phase_has_its_rate():
    stages = [(4000.0, 1.0), (1000.0, 0.0), (4000.0, 9.0)]
    times = np.array(list(phases(rng(), stages)))
    first, silent, last = np.histogram(times, [0, 4000, 5000, 9000])[0]
    assert first == pytest.approx(4000, abs=SIGMAS * math.sqrt(4000))
    assert silent == 0
    assert last == pytest.approx(36_000, abs=SIGMAS * math.sqrt(36_000))
    assert times[-1] <= 9000


@settings(max_examples=30)
@given(steps, st.floats(0.05, 0.95), st.integers(0, 1000))
def test_cutting_a_phase_in_two_changes_nothing(stages, share, seed):
    duration, rate = stages[0]
    cut = [(duration * share, rate), (duration * (1 - share), rate), *stages[1:]]
    whole = list(islice(phases(rng(seed), stages), 50))
    parts = list(islice(phases(rng(seed), cut), 50))
    common = min(len(whole), len(parts))
    assert abs(len(whole) - len(parts)) <= 1  # an arrival on the very end may fall off by rounding
    assert whole[:common] == pytest.approx(parts[:common], rel=1e-9, abs=1e-9)


def test_one_endless_phase_is_poisson():
    endless = list(islice(phases(rng(), [(math.inf, 4.0)]), 1000))
    assert endless == pytest.approx(list(islice(poisson(rng(), 4.0), 1000)))


def test_a_silent_endless_phase_ends():
    assert list(phases(rng(), [(math.inf, 0.0)])) == []


def test_faster_divides_times():
    slow, fast = poisson(rng(), 2.0), faster(poisson(rng(), 2.0), 4.0)
    assert list(islice(fast, 9)) == [time / 4 for time in islice(slow, 9)]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: next(poisson(rng(), 0)), "rate: 0, allowed are numbers above 0"),
        (lambda: next(poisson(rng(), math.nan)), "rate: nan, allowed are finite numbers from 0"),
        (lambda: list(phases(rng(), [])), "phases: none given"),
        (lambda: list(phases(rng(), [(0.0, 1.0)])), "phases.0.duration: 0.0, allowed"),
        (
            lambda: list(phases(rng(), [(math.inf, 1.0), (1.0, 1.0)])),
            "phases.0.duration: inf, allowed are finite",
        ),
        (lambda: list(phases(rng(), [(1.0, -1.0)])), "phases.0.rate: -1.0, allowed"),
        (lambda: mmpp_rate([1.0], [[0.0]]), "rates: 1 states, at least 2"),
        (lambda: mmpp_rate([0.0, 0.0], BURSTY[1]), "rates: all are 0"),
        (lambda: mmpp_rate([1.0, -2.0], BURSTY[1]), "rates.1: -2.0, allowed"),
        (lambda: mmpp_rate([1.0, 2.0], [[-1.0, 1.0]]), "switching: 2 x 2 finite numbers"),
        (lambda: mmpp_rate([1.0, 2.0], [[1.0, -1.0], [1.0, -1.0]]), "must not be negative"),
        (lambda: mmpp_rate([1.0, 2.0], [[-1.0, 2.0], [1.0, -1.0]]), "every row must sum to 0"),
        (lambda: mmpp_rate([1.0, 2.0], [[-1.0, 1.0], [0.0, 0.0]]), "must reach every other"),
        (
            lambda: next(mmpp(rng(), [0.0, 1e-6], [[-1e9, 1e9], [1e9, -1e9]])),
            "switching: more than 1,000,000 transitions between two arrivals",
        ),
        (lambda: faster([1.0], 0.0), "speed: 0.0, allowed are finite numbers above 0"),
    ],
)
def test_bad_parameters_are_refused(make, message):
    with pytest.raises(InputError) as fault:
        make()
    assert message in str(fault.value)
