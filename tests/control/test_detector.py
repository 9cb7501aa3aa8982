"""When the detector changes its mind, and when not."""

import math
from collections.abc import Sequence

import pytest

from anarchy.config.router import Controller
from anarchy.control.detector import Detector


def detector(unloaded: float = 0.1, **settings: object) -> Detector:
    plain = {"smoothing": 1.0, "polls": 1, "hysteresis": 1.0, "cooldown": 0.0}
    return Detector(Controller.model_validate(plain | settings), unloaded)


def regimes(which: Detector, tails: Sequence[float | None]) -> str:
    """The first letter of the regime at each poll, 5 s apart."""
    return "".join(which.poll(5.0 * k, tail).regime[0] for k, tail in enumerate(tails, start=1))


def test_a_threshold_belongs_to_the_regime_above() -> None:
    assert regimes(detector(), [0.99, 1.0, 9.99, 10.0, 9.99, 0.99]) == "bttstb"


def test_thresholds_may_be_multiples_of_the_unloaded_ttft() -> None:
    assert detector(0.2, thresholds={"unit": "unloaded"}).thresholds == (-math.inf, 0.2, 2.0)


def test_so_many_polls_in_a_row_must_agree() -> None:
    assert regimes(detector(polls=3), [5, 5, 0.1, 5, 5, 5, 0.1, 0.1, 0.1]) == "bbbbbtttb"


def test_polls_that_want_different_regimes_do_not_agree() -> None:
    assert regimes(detector(polls=2), [5, 20, 5, 20, 20]) == "bbbbs"


def test_the_average_is_exponential() -> None:
    which = detector(smoothing=0.25)
    assert [which.poll(t, p99).average for t, p99 in enumerate((8.0, 0.0, 0.0, 4.0))] == [
        8.0,
        6.0,
        4.5,
        4.375,
    ]


def test_the_way_down_leads_below_a_share_of_the_threshold() -> None:
    assert regimes(detector(hysteresis=0.8), [0.9, 1.0, 0.9, 0.8, 0.79, 0.9]) == "btttbb"


def test_two_switches_are_a_cooldown_apart() -> None:
    assert regimes(detector(cooldown=20.0), [5, 0.1, 0.1, 0.1, 0.1]) == "ttttb"


@pytest.mark.parametrize("nothing", [None, math.nan])
def test_no_sample_is_no_decision(nothing: float | None) -> None:
    which = detector(polls=2)
    assert regimes(which, [nothing, 5, nothing, nothing]) == "bbbb"
    verdict = which.poll(25.0, 5.0)
    assert (verdict.regime, verdict.switched, verdict.average) == ("transition", True, 5.0)
    assert which.poll(30.0, nothing).reason == "no sample"


def test_reasons_tell_what_is_missing() -> None:
    which = detector(polls=2, cooldown=12.0)
    reasons = [which.poll(5.0 * k, tail).reason for k, tail in enumerate((5, 5, 0.1, 0.1, 0.1))]
    assert reasons == [
        "transition for 1 of 2 polls",
        "transition for 2 polls",
        "below for 1 of 2 polls",
        "below, but switched 10 s ago",
        "below for 3 polls",
    ]
