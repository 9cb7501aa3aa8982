"""Waiting times in closed form, each against a second method that does not use it."""

import math
from collections.abc import Iterator
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.queueing import waiting_times
from anarchy.games.queueing.closed_forms import mm1_latency, mmc_latency
from tests.games.rationals import fractions

LOADS = (0.3, 0.5, 0.8, 0.95)
loads = st.floats(0.01, 0.97)


def erlang_series(load: float, wait: float) -> float:
    """P(wait > x) in M/D/1 by the alternating series of 1909, with digits to spare."""
    with localcontext() as context:
        context.prec = 120
        rho, x = Decimal(repr(load)), Decimal(repr(wait))
        total, factorial = Decimal(0), Decimal(1)
        for k in range(int(x) + 1):
            factorial *= max(k, 1)
            power = (rho * (k - x)) ** k if k else Decimal(1)
            total += power / factorial * (rho * (x - k)).exp()
        return float(1 - (1 - rho) * total)


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("wait", [0.0, 0.25, 1.0, 2.5, 7.0, 20.75, 45.5])
def test_md1_tail_equals_erlangs_series(load: float, wait: float) -> None:
    expected = erlang_series(load, wait)
    assert waiting_times.md1_tail(load, 1 + wait) == pytest.approx(expected, rel=1e-8, abs=1e-13)


@given(loads, st.floats(0, 30), st.floats(0, 5))
def test_tails_fall(load: float, time: float, more: float) -> None:
    for tail in (
        lambda t: waiting_times.mm1_tail(load, t),
        lambda t: waiting_times.md1_tail(load, t),
        lambda t: waiting_times.mmc_tail(load, 3, t),
    ):
        assert 0 <= tail(time + more) <= tail(time) + 1e-12 <= 1 + 1e-12


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize(
    ("tail", "mean"),
    [
        (waiting_times.mm1_tail, waiting_times.mm1_mean),
        (waiting_times.md1_tail, waiting_times.md1_mean),
        (lambda r, t: waiting_times.mmc_tail(r, 2, t), lambda r: waiting_times.mmc_mean(r, 2)),
        (lambda r, t: waiting_times.mmc_tail(r, 8, t), lambda r: waiting_times.mmc_mean(r, 8)),
    ],
    ids=["mm1", "md1", "mm2", "mm8"],
)
def test_the_mean_is_the_area_under_the_tail(tail, mean, load: float) -> None:  # type: ignore[no-untyped-def]
    end = waiting_times.quantile(lambda t: tail(load, t), 1 - 1e-7)
    # A tail may jump at whole services, which are points of the grid.
    step = 1 / 32
    middles = np.arange(0, end, step) + step / 2
    area = step * sum(tail(load, float(t)) for t in middles)
    assert area == pytest.approx(mean(load), rel=1e-4)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_tails_against_lindleys_recursion(load: float) -> None:
    rng = np.random.default_rng(5)
    n = 2_000_000
    gaps = rng.exponential(1 / load, n)
    for service, tail in (
        (rng.exponential(1, n), waiting_times.mm1_tail),
        (np.ones(n), waiting_times.md1_tail),
    ):
        walk = np.concatenate([[0], np.cumsum(service[:-1] - gaps[1:])])
        sojourn = walk - np.minimum.accumulate(walk) + service
        for time in (1.5, 4.0):
            assert (sojourn > time).mean() == pytest.approx(tail(load, time), abs=0.01)


@given(st.integers(1, 12), fractions(Fraction(1, 100), Fraction(97, 100)))
def test_means_equal_the_exact_ones(servers: int, load: Fraction) -> None:
    exact = mmc_latency(servers, Fraction(1), load * servers)
    assert waiting_times.mmc_mean(float(load), servers) == pytest.approx(float(exact), rel=1e-12)
    assert waiting_times.mm1_mean(float(load)) == pytest.approx(
        float(mm1_latency(Fraction(1), load))
    )


@given(loads, st.floats(0, 20))
def test_one_server_of_many_is_mm1(load: float, time: float) -> None:
    assert waiting_times.mmc_tail(load, 1, time) == pytest.approx(
        waiting_times.mm1_tail(load, time), rel=1e-9
    )


@pytest.mark.parametrize("servers", [2, 4, 8])
def test_mmc_where_both_stages_have_one_rate(servers: int) -> None:
    """c (1 - rho) = 1 divides by zero in the general formula; its neighbours say the same."""
    load = 1 - 1 / servers
    for time in (0.5, 3.0, 10.0):
        around = [waiting_times.mmc_tail(load + shift, servers, time) for shift in (-1e-5, 1e-5)]
        assert waiting_times.mmc_tail(load, servers, time) == pytest.approx(
            np.mean(around), rel=1e-6
        )


def test_pollaczek_khinchine_by_hand() -> None:
    assert waiting_times.md1_mean(0.5) == 1.5
    assert waiting_times.mg1_mean(0.5, 2.0) == waiting_times.mm1_mean(0.5) == 2.0
    assert waiting_times.mg1_mean(0.8, 2.8) == pytest.approx(1 + 0.8 * 2.8 / 0.4)


def test_processor_sharing_is_linear_in_the_service() -> None:
    assert waiting_times.ps_mean(0.75) == 4.0
    assert waiting_times.ps_mean(0.75, 0.5) == 2.0


@pytest.mark.parametrize("load", [0.4, 0.8])
def test_processor_sharing_against_its_balance_equations(load: float) -> None:
    """Erlang-2 services: the number in each phase is a Markov chain, solved on a grid."""
    size = 60 if load > 0.5 else 30
    states = [(i, j) for i in range(size) for j in range(size - i)]
    index = {state: k for k, state in enumerate(states)}
    generator = np.zeros((len(states), len(states)))
    for (i, j), k in index.items():
        total = i + j
        steps = [((i + 1, j), load)]
        if total:
            steps += [((i - 1, j + 1), 2 * i / total), ((i, j - 1), 2 * j / total)]
        for target, rate in steps:
            if rate and target in index:
                generator[k, index[target]] += rate
                generator[k, k] -= rate
    law = stationary(generator)
    present = sum(p * (i + j) for p, (i, j) in zip(law, states, strict=True))
    assert present / load == pytest.approx(waiting_times.ps_mean(load), rel=1e-3)


State = tuple[int, ...]


def two_choice_chain(load: float, servers: int, longest: int, distinct: bool) -> float:
    """Mean sojourn of the shorter of two random queues, by the balance equations."""
    numbers: dict[State, int] = {(0,) * servers: 0}
    reached = list(numbers)
    rates: list[tuple[int, State, float]] = []
    for k, state in enumerate(reached):  # grows while it is read: breadth first
        for target, rate in moves(state, load, longest, distinct):
            if target not in numbers:
                numbers[target] = len(reached)
                reached.append(target)
            rates.append((k, target, rate))
    generator = np.zeros((len(reached), len(reached)))
    for k, target, rate in rates:
        generator[k, numbers[target]] += rate
        generator[k, k] -= rate
    law = stationary(generator)
    present = sum(p * sum(state) for p, state in zip(law, reached, strict=True))
    return float(present / (load * servers))


def moves(state: State, load: float, longest: int, distinct: bool) -> Iterator[tuple[State, float]]:
    """Where sorted queue lengths go, and how fast."""
    pairs = len(state) - 1 if distinct else len(state)
    for a, length in enumerate(state):
        if length:
            yield moved(state, a, -1), 1.0
        for b, other in enumerate(state):
            shorter = a if length <= other else b
            if state[shorter] < longest and not (distinct and a == b):
                yield moved(state, shorter, 1), load / pairs


def moved(state: State, queue: int, step: int) -> State:
    return tuple(sorted([*state[:queue], state[queue] + step, *state[queue + 1 :]]))


def stationary(generator: np.ndarray) -> np.ndarray:
    equations = generator.T.copy()
    equations[0] = 1.0
    return np.linalg.solve(equations, np.eye(len(generator))[0])


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("load", [0.3, 0.6])
def test_two_choices_at_few_servers(load: float, distinct: bool) -> None:
    """The mean field errs in order 1/m, the corrected one in order 1/m^2."""
    field = waiting_times.jsq_mean(load, 2)
    correction = waiting_times.jsq_correction(load, 2, distinct)
    exact = {servers: two_choice_chain(load, servers, 12, distinct) for servers in (2, 4)}
    left = {m: value - field - correction / m for m, value in exact.items()}
    for servers, value in exact.items():
        assert abs(left[servers]) < 0.5 * abs(value - field)
    assert abs(left[4]) < 0.4 * abs(left[2])


@pytest.mark.parametrize(
    ("servers", "present"), [(10, 2.7513), (20, 2.5520), (50, 2.4324), (100, 2.3925)]
)
def test_two_choices_as_published(servers: int, present: float) -> None:
    """Requests per server at load 0.9 in the refined mean field of Gast and Van Houdt (2017)."""
    sojourn = (
        waiting_times.jsq_mean(0.9, 2)
        + waiting_times.jsq_correction(0.9, 2, distinct=False) / servers
    )
    assert 0.9 * sojourn == pytest.approx(present, abs=5e-5)


@pytest.mark.parametrize("load", [0.1, 0.5, 0.8])
def test_without_a_choice_it_is_mm1_at_any_number_of_servers(load: float) -> None:
    assert waiting_times.jsq_mean(load, 1) == pytest.approx(waiting_times.mm1_mean(load), rel=1e-8)
    assert waiting_times.jsq_correction(load, 1) == pytest.approx(0.0, abs=1e-9)


@given(loads)
def test_a_choice_helps(load: float) -> None:
    means = [waiting_times.jsq_mean(load, choices) for choices in (1, 2, 3, 8)]
    assert means == sorted(means, reverse=True)
    assert means[-1] >= 1


@given(st.floats(0.05, 0.95), st.floats(0.01, 0.99))
def test_quantile_inverts_the_tail(load: float, level: float) -> None:
    time = waiting_times.quantile(lambda t: waiting_times.mm1_tail(load, t), level)
    assert time == pytest.approx(-math.log(1 - level) / (1 - load), rel=1e-9)


def test_an_idle_queue() -> None:
    assert (
        waiting_times.mm1_mean(0.0)
        == waiting_times.md1_mean(0.0)
        == waiting_times.ps_mean(0.0)
        == 1.0
    )
    assert waiting_times.md1_tail(0.0, 0.5) == 1.0
    assert waiting_times.md1_tail(0.0, 1.0) == 0.0
    assert waiting_times.mmc_tail(0.0, 4, 2.0) == pytest.approx(math.exp(-2))


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (lambda: waiting_times.mm1_mean(1.0), "load"),
        (lambda: waiting_times.md1_tail(-0.1, 1.0), "load"),
        (lambda: waiting_times.mmc_mean(1.2, 2), "load"),
        (lambda: waiting_times.mmc_mean(0.5, 0), "servers"),
        (lambda: waiting_times.mg1_mean(0.5, 0.9), "second_moment"),
        (lambda: waiting_times.jsq_mean(0.0, 2), "load"),
        (lambda: waiting_times.jsq_mean(0.5, 0), "choices"),
        (lambda: waiting_times.quantile(lambda t: 0.5, 1.0), "level"),
    ],
)
def test_bad_input_is_named(call, key: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=f"^{key}: "):
        call()
