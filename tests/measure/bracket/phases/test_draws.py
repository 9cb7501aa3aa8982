"""Sums of what any stretch of the draws may be, and the draws themselves."""

from itertools import combinations

import numpy as np
import pytest

from anarchy.measure.bracket.phases.draws import Consecutive, draw_phases
from anarchy.serving.simulate import simulate
from tests.measure.bracket.phases.small_loops import SEED, latency, phased


@pytest.mark.parametrize("are_first", [True, False])
def test_consecutive_sums_are_limits_of_all_choices(are_first: bool) -> None:
    rng = np.random.default_rng(SEED)
    for _ in range(20):
        values = rng.exponential(1.0, 8)
        sums = Consecutive(values)
        for count, others in ((1, 0), (3, 2), (5, 3), (8, 0)):
            length = count + others
            begins = range(1 if are_first else len(values) - length + 1)
            chosen = [
                sum(values[begin + place] for place in places)
                for begin in begins
                for places in combinations(range(length), count)
            ]
            least = sums.least(count, others, are_first)
            assert least <= min(chosen) + 1e-12
            if are_first:
                assert least == pytest.approx(min(chosen))
            stretches = [values[b : b + count].sum() for b in range(len(values) - count + 1)]
            assert sums.most(count) == pytest.approx(max(stretches))
        assert sums.least(0, 3, are_first) == sums.least(-2, 0, are_first) == 0


def test_the_draws_are_those_of_the_run() -> None:
    """All that is sent, and every think time that can be told from the log."""
    scenario = phased(
        [(1.0, 1), (1.0, 3)],
        workload__ramp=0.1,
        workload__output_lengths={"kind": "geometric", "mean_tokens": 9},
    )
    log = simulate(scenario, latency(), seed=SEED, replication=3).log
    draws = draw_phases(scenario, latency(), SEED, 3, len(log) + 3)
    one = log.select(log.done < 1.0)  # by the one client of the first phase
    np.testing.assert_array_equal(one.output_tokens, draws.requests.output_tokens[: len(one)])
    assert one.arrival[0] == pytest.approx(draws.starts[0.0][0])
    pauses = one.arrival[1:] - one.done[:-1]
    np.testing.assert_allclose(pauses, draws.thinks[: len(pauses)], atol=1e-9)
    assert len(draws.starts_within(0.0, 1.0)) == 1
    assert len(draws.starts_within(1.0, 2.0)) == 2
    assert 0 <= draws.starts_within(1.0, 2.0).max() <= 0.1
    assert draws.longest_pause >= draws.thinks.max()
