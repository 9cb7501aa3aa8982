"""What a regime makes of the router's parameters."""

from anarchy.config.router import Controller as Settings
from anarchy.config.router import Override
from anarchy.control.controller import Controller, ControlLoop

EAGER = {"smoothing": 1.0, "polls": 1, "cooldown": 0.0}


def test_each_regime_has_its_override() -> None:
    controller = Controller(Settings.model_validate(EAGER), 0.1)
    decided = [controller.observe(5.0 * k, p99) for k, p99 in enumerate((0.1, 2.0, 20.0, None))]
    assert [(d.regime, d.override.temperature, d.override.overlap_weight) for d in decided] == [
        ("below", 0.0, 1.0),
        ("transition", 0.7, 1.0),
        ("saturated", 0.8, 0.1),
        ("saturated", 0.8, 0.1),
    ]
    assert [d.switched for d in decided] == [False, True, True, False]
    assert controller.override == decided[-1].override


def test_only_a_switch_overrides_and_a_dry_run_does_not() -> None:
    for dry_run in (False, True):
        loop = ControlLoop(Settings.model_validate(EAGER | {"dry_run": dry_run}), 0.1)
        told = [loop.poll([5.0 * k - 1], [2.0]) for k in (1, 2)]
        transition = Override(temperature=0.7, overlap_weight=1.0)
        assert told == [None if dry_run else transition, None]
        assert [(d.switched, d.override) for d in loop.decisions] == [
            (True, transition),
            (False, transition),
        ]


def test_a_loop_polls_at_multiples_of_its_interval() -> None:
    loop = ControlLoop(Settings.model_validate(EAGER | {"interval": 2.0, "window": 3.0}), 0.1)
    times = []
    for first_tokens, ttfts in (([1.0], [5.0]), ([], []), ([5.5], [0.1])):
        times.append(loop.next_poll)
        loop.poll(first_tokens, ttfts)
    assert times == [2.0, 4.0, 6.0]
    assert [decision.p99 for decision in loop.decisions] == [5.0, None, 0.1]
