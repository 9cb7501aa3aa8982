"""The coupled game's planner that acts late: when it swings, and the cycles of one that steps.

Checks the gain at which a delayed planner starts to oscillate, that its orbits do rest and swing on
either side of it, and the cycles of one that moves a single GPU at a time.
"""

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from anarchy.games.gpu_split.coupled import CoupledGame, fixed_points
from anarchy.games.gpu_split.delayed_planner import (
    delayed_orbit,
    gain_threshold,
    held_splits,
    period_two_orbits,
    planner_cycles,
    settling_gain,
)
from anarchy.games.theorems.checks import Row, check, rows_of
from anarchy.games.theorems.coupling import START, WARM, coupled_game

DELAY, STEPS = "thm:delay", "thm:steps"

ITERATION = "iteration of the planner"

DELAYS = range(5)
"""Delays of the planner, in intervals, at which its thresholds are checked."""

BANDS = tuple(Fraction(*pair) for pair in ((0, 1), (1, 2), (1, 1)))
"""Dead bands of the stepping planner, in GPUs."""

BELOW, ABOVE = 0.97, 1.03
"""Gains, relative to the threshold, at which the planner must come to rest and must not."""

INTERVALS, WATCHED = 4000, 60
"""Length of an orbit, and how many of its last intervals show whether it rests."""

AT_REST, SWINGING = 1e-6, 0.5
"""GPUs: an orbit that moves less has come to rest, one that moves more has not."""

STEEP = coupled_game(5, "9/10", 0)
"""One fixed point, where the planner's target is much steeper than far away from it."""

FAR = (1.0, 23.0)
"""Starts, in GPUs, from which a planner of a small gain must come to rest."""

BESIDE = 0.05
"""GPUs: how far from the fixed point an orbit starts that the linearisation describes."""


TARGETS, KNOTS, WANDERED, STILL = 4000, 21, 800, 0.05
"""Random targets, distances at which each is drawn, intervals of an orbit, and how far from its
fixed point it may be in the end: from a distance of at most 1 orbits decay slowly here."""


def check_rows(most: int | None = None) -> list[Row]:
    """One row per check; the solvers iterate, bisect or enumerate."""
    return rows_of(
        _threshold_and_orbit_rows,
        _global_rows,
        _overshoot_rows,
        _open_rows,
        _figure_rows,
        _step_rows,
        most=most,
    )


def companion_radius(delay: int, loop_gain: float) -> float:
    """Largest modulus of a root of z^(delay + 1) - z^delay + loop_gain."""
    coefficients = [1.0, -1.0, *[0.0] * (delay - 1), loop_gain] if delay else [1.0, loop_gain - 1]
    return float(np.max(np.abs(np.roots(coefficients))))


def _threshold_and_orbit_rows() -> Iterator[Row]:
    for delay in DELAYS:
        yield _threshold_row(delay)
        yield from _orbit_rows(delay)


def _warm_threshold(delay: int) -> float:
    return gain_threshold(delay, fixed_points(WARM).points[0].slope)


def _warm(delay: int) -> str:
    return f"a delay of {delay} intervals, the warm instance"


def _threshold_row(delay: int) -> Row:
    """The stated gain beside the one at which a root leaves the unit disc."""
    return check(
        f"coupling-threshold-{delay}",
        DELAY,
        "gain at which the linearised planner loses its stability",
        _warm(delay),
        _critical_gain(delay) / (1 - fixed_points(WARM).points[0].slope),
        _warm_threshold(delay),
        "roots of the characteristic polynomial",
    )


def _orbit_rows(delay: int) -> Iterator[Row]:
    """A little below the stated gain the planner comes to rest, a little above it swings."""
    for name, factor in (("below", BELOW), ("above", ABOVE)):
        yield check(
            f"coupling-orbit-{delay}-{name}",
            DELAY,
            f"GPUs between highest and lowest split, {name} the threshold",
            _warm(delay),
            _swing(delay, factor * _warm_threshold(delay)),
            AT_REST if name == "below" else SWINGING,
            ITERATION,
            "<=" if name == "below" else ">=",
        )


def _figure_rows() -> Iterator[Row]:
    """The two planners that the figure shows."""
    for delay in (1, 2):
        yield check(
            f"coupling-figure-{delay}",
            DELAY,
            "GPUs between highest and lowest split, gain one",
            _warm(delay),
            _swing(delay, 1.0),
            AT_REST if delay == 1 else SWINGING,
            ITERATION,
            "<=" if delay == 1 else ">=",
        )


def _global_rows() -> Iterator[Row]:
    """Gains that settle from far away, and a larger one at which the start decides."""
    quantity = "GPUs between highest and lowest split"
    for delay, step in itertools.product(DELAYS[:3], (1.0, math.inf)):
        gain = 0.95 * settling_gain(delay)
        yield check(
            f"coupling-global-{delay}-{'cut' if step == 1 else 'whole'}",
            DELAY,
            f"{quantity}, the worst of {len(FAR)} starts",
            f"a delay of {delay} intervals, gain {gain:.3g}, the steep instance",
            max(_swing(delay, gain, STEEP, start, step) for start in FAR),
            AT_REST,
            ITERATION,
            "<=",
        )
    point = float(fixed_points(STEEP).points[0].state.prefill)
    for name, where, start in (("beside", "beside", point + BESIDE), ("far", "far from", START)):
        yield check(
            f"coupling-start-{name}",
            DELAY,
            f"{quantity}, gain one, started {where} the fixed point",
            "a delay of 2 intervals, the steep instance",
            _swing(2, 1.0, STEEP, start),
            AT_REST if name == "beside" else SWINGING,
            ITERATION,
            "<=" if name == "beside" else ">=",
        )


def _overshoot_rows() -> Iterator[Row]:
    """At the stated gain a planner that follows its error at will swings for ever, and not less."""
    for delay in DELAYS[1:]:
        yield check(
            f"coupling-settling-{delay}",
            DELAY,
            "gain at which a planner that may follow its error in part swings for ever",
            f"a delay of {delay} intervals",
            _swinging_gain(delay),
            settling_gain(delay),
            "bisection on the overshoot after a wait",
        )


def _swinging_gain(delay: int) -> float:
    """Gain at which a planner that waited overshoots as far as it was from its target."""
    low, high = 0.0, 2.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if overshoot(delay, middle) < 1 else (low, middle)
    return low


def overshoot(delay: int, gain: float) -> float:
    """How far a planner that waited at -1 is beyond 0 when it first reads a positive distance.

    From the end of the wait on it follows the whole of the error that it reads.
    """
    path = [-1.0] * (delay + 1)
    while path[-1 - delay] < 0:
        path.append(path[-1] - gain * path[-1 - delay])
    return path[-1]


def _open_rows() -> Iterator[Row]:
    """Between the two gains nothing is proved of a fixed target; we found none that swings."""
    for delay in (2, 3):
        gain = (settling_gain(delay) + gain_threshold(delay, 0.0)) / 2
        yield check(
            f"coupling-open-{delay}",
            DELAY,
            "random rising targets at which a planner does not come to rest",
            f"{TARGETS} targets, a delay of {delay} intervals, gain {gain:.3f}",
            Fraction(_unsettled(delay, gain)),
            Fraction(0),
            ITERATION,
        )


def _unsettled(delay: int, gain: float) -> int:
    """How many of some random targets keep a planner swinging from a random history.

    Distances are at most 1. An error grows with the distance x no faster than x, so that the
    target rises, and lies between x/20 and x; it is linear between `KNOTS` distances on each side.
    """
    rng = np.random.default_rng(delay)
    width = 1 / (KNOTS - 1)
    slopes = rng.choice([1.0, 1.0, 0.5, 0.0, -2.0, -8.0], size=(2 * TARGETS, KNOTS))
    errors = np.zeros((2 * TARGETS, KNOTS))
    for knot in range(1, KNOTS):
        grown = errors[:, knot - 1] + width * slopes[:, knot]
        errors[:, knot] = np.clip(grown, width * knot / 20, width * knot)
    path = list(rng.uniform(-1, 1, size=(delay + 1, TARGETS)))
    for _ in range(WANDERED):
        seen = path[-1 - delay]
        side = np.arange(TARGETS) + TARGETS * (seen > 0)
        place = np.abs(seen) / width
        knot = np.minimum(place.astype(int), KNOTS - 2)
        below, above = errors[side, knot], errors[side, knot + 1]
        error = below + (above - below) * (place - knot)
        path.append(np.clip(path[-1] - gain * np.sign(seen) * error, -1, 1))
    return int((np.abs(path[-WATCHED:]).max(axis=0) > STILL).sum())


def _critical_gain(delay: int) -> float:
    """Loop gain at which the largest root leaves the unit disc, by bisection."""
    low, high = 0.0, 2.5
    while high - low > 1e-13:
        middle = (low + high) / 2
        low, high = (middle, high) if companion_radius(delay, middle) < 1 else (low, middle)
    return low


def _swing(
    delay: int, gain: float, game: CoupledGame = WARM, start: float = START, step: float = 1.0
) -> float:
    """Highest less lowest split over the last intervals of a long orbit, `step` GPUs a move."""
    last = delayed_orbit(game, start, delay, gain, INTERVALS, step_limit=step)[-WATCHED:]
    return max(last) - min(last)


def _step_rows() -> Iterator[Row]:
    for delay, band in itertools.product(range(4), BANDS):
        held = held_splits(WARM, band)
        cycles = planner_cycles(WARM, delay, band)
        longest = max(cycles, key=len)
        yield check(
            f"coupling-steps-delay-{delay}-band-{band}".replace("/", "-"),
            STEPS,
            "intervals of the longest cycle of a planner that moves one GPU at a time",
            f"delay {delay}, {len(held)} splits within the dead band",
            Fraction(len(longest)),
            Fraction(4 * delay + 2 if len(held) <= delay else 1),
            "enumeration of all histories",
        )
        if len(held) <= delay:
            yield check(
                f"coupling-swing-delay-{delay}-band-{band}".replace("/", "-"),
                STEPS,
                "GPUs between highest and lowest split of that cycle",
                f"delay {delay}, {len(held)} splits within the dead band",
                Fraction(max(longest) - min(longest)),
                Fraction(2 * delay + 1 - len(held)),
                "enumeration of all histories",
            )
    ((lower, upper),) = period_two_orbits(WARM, 0, 0)
    ends = (("lower", lower, math.floor), ("upper", upper, math.ceil))
    for name, found, rounded in ends:
        yield check(
            f"coupling-period-two-{name}",
            STEPS,
            "split of the period-two orbit, next to the fixed point",
            f"no delay, no dead band, {name} split",
            Fraction(found),
            Fraction(rounded(Fraction(25, 2))),
            "enumeration of all histories",
        )
