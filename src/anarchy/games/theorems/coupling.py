"""The coupled game: where split, placement and routing rest, and when a late planner swings.

Checks the number of fixed points, that the slope of the planner's target decides over stability,
the gain at which a delayed planner starts to oscillate, and the cycles of one that moves a single
GPU at a time; and draws two planners that differ in nothing but their delay.
"""

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from anarchy.games.common.rational import Extended
from anarchy.games.gpu_split.allocation import AllocationGame, Pool
from anarchy.games.gpu_split.coupled import (
    CoupledGame,
    State,
    best_response_map,
    fixed_points,
    planner_reply,
    settled,
    slope,
    target,
)
from anarchy.games.gpu_split.delayed_planner import (
    delayed_orbit,
    gain_threshold,
    held_splits,
    period_two_orbits,
    planner_cycles,
)
from anarchy.games.theorems.checks import Row, check

REST, STABILITY, DELAY, STEPS = "thm:coupled", "prop:slope", "thm:delay", "thm:steps"

ITERATION = "iteration of the planner"

GPUS = 24
"""GPUs of the instances: those of the source's testbed."""

DELAYS = range(5)
"""Delays of the planner, in intervals, at which its thresholds are checked."""

BANDS = tuple(Fraction(*pair) for pair in ((0, 1), (1, 2), (1, 1)))
"""Dead bands of the stepping planner, in GPUs."""

PRICES = tuple(Fraction(*pair) for pair in ((1, 5), (3, 5), (24, 25), (6, 5)))
CREDITS = tuple(Fraction(*pair) for pair in ((0, 1), (1, 2), (1, 1)))
"""Memory prices and router credits of the games whose fixed points are counted."""

SCAN = 1500
"""Splits at which the error of the planner is evaluated to count its changes of sign."""

REPLIES = 400
"""Best responses from each corner of the state space: many more than they need to settle."""

BELOW, ABOVE = 0.9, 1.1
"""Gains, relative to the threshold, at which the planner must come to rest and must not."""

INTERVALS, WATCHED = 3000, 60
"""Length of an orbit, and how many of its last intervals show whether it rests."""

AT_REST, SWINGING = 1e-6, 0.5
"""GPUs: an orbit that moves less has come to rest, one that moves more has not."""

START, DRAWN, CURVE = 15.0, 120, 61
"""First split and intervals of the drawn orbits, and points of the drawn curves."""

_STEP = Fraction(1, 10**9)
"""Step of the central differences, taken in rationals: their error is about its square."""


def coupled_game(decode_load: object, memory_price: object, credit: object) -> CoupledGame:
    """24 GPUs, M/M/1 pools of equal speed and weight, a prefill load of 16 GPUs."""
    pools = [
        Pool("mm1", Fraction(1), Fraction(16)),
        Pool("mm1", Fraction(1), Fraction(str(decode_load))),
    ]
    return CoupledGame(
        AllocationGame(Fraction(GPUS), *pools),
        Fraction(str(memory_price)),
        Fraction(str(credit)),
    )


WARM = coupled_game("15/2", "4/5", "1/2")
"""One fixed point: 25/2 GPUs prefill and half of the blocks are cached."""

BISTABLE = coupled_game(6, "24/25", 1)
"""Three fixed points: the same, a cold one, and an unstable one between them."""

STEEP = coupled_game(5, "9/10", 0)
"""One fixed point, where the planner's target is much steeper than far away from it."""

FAR = (1.0, 23.0)
"""Starts, in GPUs, from which a planner of a small gain must come to rest."""

BESIDE = 0.05
"""GPUs: how far from the fixed point an orbit starts that the linearisation describes."""


def check_rows() -> list[Row]:
    """One row per check; the solvers iterate, scan, difference or enumerate."""
    return [
        *_fixed_point_rows(),
        *_stability_rows(),
        *_delay_rows(),
        *_step_rows(),
    ]


def curve_rows() -> list[Row]:
    """The phase portrait: replies and two orbits in the plane of split and cached share.

    Every row: id, series ("caches": what is cached once it answers a split; "planner": the split
    that answers what is cached; "point": the fixed point; "delay-1", "delay-2": orbits of a
    planner that moves by its whole error, at most one GPU an interval), delay (None for curves),
    step (interval or position on the curve), x (prefill GPUs ordered), y (share of the blocks
    cached, as the planner sees it: `delay` intervals old), unit (of x).
    """
    rows = []
    for series, (x, y), step in itertools.chain(_reply_curves(), _orbits()):
        rows.append(
            {
                "id": f"coupled:{series}:{step}",
                "series": series,
                "delay": int(series[-1]) if series.startswith("delay") else None,
                "step": step,
                "x": float(x),
                "y": float(y),
                "unit": "GPUs",
            }
        )
    return rows


def companion_radius(delay: int, loop_gain: float) -> float:
    """Largest modulus of a root of z^(delay + 1) - z^delay + loop_gain."""
    coefficients = [1.0, -1.0, *[0.0] * (delay - 1), loop_gain] if delay else [1.0, loop_gain - 1]
    return float(np.max(np.abs(np.roots(coefficients))))


def _reply_curves() -> Iterator[tuple[str, tuple[Extended, Extended], int]]:
    point = fixed_points(WARM).points[0].state
    yield "point", (point.prefill, point.cached), 0
    for i in range(CURVE):
        prefill = 9 + 8 * i / (CURVE - 1)
        yield "caches", (prefill, settled(WARM, prefill).cached), i
        cached = i / (CURVE - 1)
        share = (1 + WARM.credit * cached) / 2
        yield "planner", (planner_reply(WARM, cached, share), cached), i


def _orbits() -> Iterator[tuple[str, tuple[Extended, Extended], int]]:
    for delay in (1, 2):
        splits = delayed_orbit(WARM, START, delay, 1.0, DRAWN, step_limit=1.0)
        for now, split in enumerate(splits):
            seen = settled(WARM, splits[max(0, now - delay)])
            yield f"delay-{delay}", (split, seen.cached), now


def _fixed_point_rows() -> Iterator[Row]:
    budget = float(GPUS)
    for corner, start in (
        ("cached", State(0.0, 1.0, 1.0)),
        ("cold", State(budget, 0.0, 0.5)),
    ):
        state = start
        for _ in range(REPLIES):
            state = best_response_map(WARM, state)
        yield check(
            f"coupling-unique-from-{corner}",
            REST,
            "prefill GPUs where best responses settle",
            f"one fixed point, from the {corner} corner",
            float(state.prefill),
            fixed_points(WARM).points[0].state.prefill,
            "simultaneous best responses from a corner",
        )
    yield check(
        "coupling-split",
        REST,
        "prefill GPUs at the fixed point, exactly",
        "one fixed point",
        target(WARM, Fraction(25, 2)),
        fixed_points(WARM).points[0].state.prefill,
        "substitution",
    )
    for name, game in (("warm", WARM), ("bistable", BISTABLE)):
        yield check(
            f"coupling-count-{name}",
            REST,
            "number of fixed points",
            f"the {name} instance",
            Fraction(_sign_changes(game)),
            Fraction(len(fixed_points(game).points)),
            "changes of sign of the planner's error over a scan of splits",
        )
    below: list[int] = []
    for price, credit, load in itertools.product(PRICES, CREDITS, (2, 6)):
        game = coupled_game(load, price, credit)
        if price * game.cold_split < game.allocation.prefill.offered_load:
            below.append(_sign_changes(game))
    yield check(
        "coupling-unique-below-utilisation",
        REST,
        "most fixed points where memory costs less than it saves at first",
        f"{len(below)} games",
        Fraction(max(below)),
        Fraction(1),
        "changes of sign of the planner's error over a scan of splits",
    )


def _sign_changes(game: CoupledGame) -> int:
    """How often the planner's error changes sign between no and all hits, the ends included."""
    lowest = max(0.0, float(game.cold_split - game.freed)) + 1e-9
    highest = float(game.cold_split) + 1e-3
    splits = (lowest + (highest - lowest) * i / SCAN for i in range(SCAN + 1))
    signs = [target(game, split) > split for split in splits]
    return sum(a != b for a, b in itertools.pairwise(signs))


def _stability_rows() -> Iterator[Row]:
    for name, game in (("warm", WARM), ("bistable", BISTABLE)):
        for position, point in enumerate(fixed_points(game).points):
            state = point.state
            if state.cached == 0:
                continue
            matrix = _differenced(game, state)
            inner = matrix[1, 2] * matrix[2, 1]
            yield check(
                f"coupling-determinant-{name}-{position}",
                STABILITY,
                "det(I - J) of the best-response map",
                f"fixed point {position + 1} of the {name} instance",
                float(np.linalg.det(np.eye(3) - matrix)),
                (1 - inner) * (1 - point.slope),
                "central differences in rationals",
            )
            stable = float(np.max(np.abs(np.linalg.eigvals(matrix))))
            yield check(
                f"coupling-radius-{name}-{position}",
                STABILITY,
                "spectral radius, on the same side of one as the slope",
                f"fixed point {position + 1} of the {name} instance",
                stable,
                Fraction(1),
                "central differences in rationals",
                "<=" if point.slope < 1 else ">=",
            )
    prefill = Fraction(25, 2)
    difference = (target(WARM, prefill + _STEP) - target(WARM, prefill - _STEP)) / (2 * _STEP)
    yield check(
        "coupling-slope",
        STABILITY,
        "slope of the planner's target",
        "the warm instance",
        float(difference),
        slope(WARM, prefill),
        "central differences in rationals",
    )


def _differenced(game: CoupledGame, state: State) -> np.ndarray:
    """Jacobian of the best-response map from its values alone."""
    centre = [Fraction(x) for x in (state.prefill, state.cached, state.load_share)]
    columns = []
    for i in range(3):
        ends = []
        for sign in (1, -1):
            moved = [x + sign * _STEP * (i == j) for j, x in enumerate(centre)]
            reply = best_response_map(game, State(*moved))
            ends.append((reply.prefill, reply.cached, reply.load_share))
        columns.append([float((a - b) / (2 * _STEP)) for a, b in zip(*ends, strict=True)])
    return np.array(columns).T


def _delay_rows() -> Iterator[Row]:
    point = fixed_points(WARM).points[0]
    for delay in DELAYS:
        threshold = gain_threshold(delay, point.slope)
        setting = f"a delay of {delay} intervals, the warm instance"
        yield check(
            f"coupling-threshold-{delay}",
            DELAY,
            "gain at which the linearised planner loses its stability",
            setting,
            _critical_gain(delay) / (1 - point.slope),
            threshold,
            "roots of the characteristic polynomial",
        )
        for name, factor in (("below", BELOW), ("above", ABOVE)):
            yield check(
                f"coupling-orbit-{delay}-{name}",
                DELAY,
                f"GPUs between highest and lowest split, {name} the threshold",
                setting,
                _swing(delay, factor * threshold),
                AT_REST if name == "below" else SWINGING,
                ITERATION,
                "<=" if name == "below" else ">=",
            )
    yield from _global_rows()
    for delay in (1, 2):
        yield check(
            f"coupling-figure-{delay}",
            DELAY,
            "GPUs between highest and lowest split, gain one",
            f"a delay of {delay} intervals, the warm instance",
            _swing(delay, 1.0),
            AT_REST if delay == 1 else SWINGING,
            ITERATION,
            "<=" if delay == 1 else ">=",
        )


def _global_rows() -> Iterator[Row]:
    """Gains below 1/d settle from far away; between 1/d and the threshold the start can decide."""
    quantity = "GPUs between highest and lowest split"
    for delay, step in itertools.product(DELAYS[:3], (1.0, math.inf)):
        gain = 0.95 / delay if delay else 1.9
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
