"""The coupled game: where split, placement and routing rest, and whether they stay there.

Checks the number of fixed points and that the slope of the planner's target decides over stability,
and draws two planners that differ in nothing but their delay; `delayed_planner` checks when such
planners swing.
"""

import itertools
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
from anarchy.games.gpu_split.delayed_planner import delayed_orbit
from anarchy.games.theorems.checks import Row, check, rows_of

REST, STABILITY = "thm:coupled", "prop:slope"

GPUS = 24
"""GPUs of the instances: those of the source's testbed."""

PRICES = tuple(Fraction(*pair) for pair in ((1, 5), (3, 5), (24, 25), (6, 5)))
CREDITS = tuple(Fraction(*pair) for pair in ((0, 1), (1, 2), (1, 1)))
"""Memory prices and router credits of the games whose fixed points are counted."""

SCAN = 1500
"""Splits at which the error of the planner is evaluated to count its changes of sign."""

REPLIES = 400
"""Best responses from each corner of the state space: many more than they need to settle."""

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


def check_rows(most: int | None = None) -> list[Row]:
    """One row per check; the solvers iterate, scan or difference."""
    return rows_of(_fixed_point_rows, _stability_rows, most=most)


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
    above = [
        _sign_changes(game)
        for price, credit, load in itertools.product(PRICES, CREDITS, (2, 6))
        if (game := coupled_game(load, price, credit)).memory_price * game.cold_split
        >= game.allocation.prefill.offered_load
    ]
    yield check(
        "coupling-count-above-utilisation",
        REST,
        "most fixed points where nothing cached is one of them",
        f"{len(above)} games",
        Fraction(max(above)),
        Fraction(3),
        "changes of sign of the planner's error over a scan of splits",
    )
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
