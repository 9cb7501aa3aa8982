"""What requests take among few, whatever had been there before."""

import pytest

from anarchy.measure.bracket.decode_price import best_price, rent
from anarchy.measure.bracket.phases.crowds import Crowds
from anarchy.measure.bracket.phases.draws import draw_phases
from anarchy.measure.bracket.service_limits import ServiceLimits
from anarchy.serving.simulate import simulate
from tests.measure.bracket.phases.small_loops import SEED, latency, phased


def test_stays_among_few_are_shorter_and_hold() -> None:
    scenario = phased([(0.8, 9), (0.6, 2), (0.8, 2)], topology__decode_speed=[0.5, 1.0])
    draws = draw_phases(scenario, latency(), SEED, 0, 500)
    crowds = Crowds(draws, ServiceLimits(scenario, latency(), 9))
    few, many = crowds.of(2).stays, crowds.of(9).stays
    assert float(few.done.max()) < 0.6 * float(many.done.max())
    log = simulate(scenario, latency(), seed=SEED).log
    assert log.e2e.max() <= crowds.longest
    late = log.select(log.arrival > 0.8 + crowds.longest)
    assert len(late) > 3
    assert (late.e2e <= few.done.max()).all()
    assert (late.ttft <= few.first_token).all()


@pytest.mark.parametrize("speeds", [[1.0, 1.0], [1.0, 2.5]])
def test_the_corners_prove_as_much_as_any_price(speeds: list[float]) -> None:
    scenario = phased([(1.0, 12)], topology__decode_speed=speeds)
    draws = draw_phases(scenario, latency(), SEED, 0, 50)
    limits = ServiceLimits(scenario, latency(), 12)
    crowd = Crowds(draws, limits).of(12)
    prices, rents = crowd.prices
    steps = limits.decode_steps(draws.requests.context[0])
    for tokens in (20.0, 150.0, 0.999 * crowd.token_rate):

        def bound(price: float, tokens: float = tokens) -> float:
            return price * tokens - rent(price, steps, speeds)

        assert (prices * tokens - rents).max() >= best_price(bound, steps, speeds) - 1e-9
