"""How long the exact game solvers take at the sizes that they are meant for.

A benchmark is one line of `ROWS`: a name, the seconds that it should stay below on an idle core,
and a function that builds its game and returns what is to be timed.
"""

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction

from anarchy.common import paths
from anarchy.common.files import Row
from anarchy.games import game_file
from anarchy.games.common.equilibrium_report import Method
from anarchy.games.common.latency import MM1, Latency, Polynomial, Table
from anarchy.games.placement import topology
from anarchy.games.placement.game import CachingGame
from anarchy.games.placement.solve import solve_placement
from anarchy.games.routing import best_response, min_cost_assignment
from anarchy.games.routing.congestion import CongestionGame, Strategy
from anarchy.games.routing.solve import solve_routing
from anarchy.games.solve import solve
from benchmarks.measuring import Effort, Say, row, spend

SEED = 1

FIVE_OBJECTS = [[5, 4, 3, 2, 1]] * 200
ISLANDS = topology.clusters(10, 20, 0, 9)

Timed = Callable[[], object]


def routing(players: int, workers: list[Latency], overlap: bool = False) -> CongestionGame:
    """Requests on parallel workers; with `overlap` each misses other blocks on each of them."""
    draw = random.Random(SEED)
    latency = {f"w{number}": worker for number, worker in enumerate(workers)}

    def strategies() -> tuple[Strategy, ...]:
        return tuple(
            Strategy(frozenset([name]), Fraction(draw.randint(0, 400), 10) if overlap else 0)
            for name in latency
        )

    first = strategies()
    return CongestionGame(
        latency, tuple(strategies() if overlap else first for _ in range(players))
    )


def solved(game: CongestionGame, method: Method = "auto") -> Timed:
    """The whole solution of a game."""
    return lambda: solve_routing(game, method)


def rising(workers: int) -> list[Latency]:
    """Workers whose latency rises with load, each at another pace."""
    return [Polynomial((1, Fraction(j + 1, 10), Fraction(1, 100))) for j in range(workers)]


def servers(workers: int, players: int) -> list[Latency]:
    """M/M/1 servers with a tenth of their rate to spare."""
    return [MM1(Fraction(11 * players, 10 * workers) + Fraction(j, 3)) for j in range(workers)]


def shuffled(workers: int, players: int) -> list[Latency]:
    """Latencies without any order, the worst that counting can meet."""
    draw = random.Random(SEED)
    return [Table(tuple(draw.randint(1, 10**6) for _ in range(players))) for _ in range(workers)]


def assigned(players: int, workers: int) -> Timed:
    """Optimal assignment and the check of its prices."""
    game = routing(players, rising(workers), overlap=True)
    offsets = [[strategy.offset for strategy in own] for own in game.players]

    def assign() -> bool:
        marginals = [
            min_cost_assignment.social_marginals([law(x) for x in range(1, players + 1)], name)
            for name, law in game.latency.items()
        ]
        return min_cost_assignment.minimise(marginals, offsets).check()

    return assign


def responded(players: int, workers: int) -> Timed:
    """Best responses of all from one worker until nobody wants to move."""
    game = routing(players, rising(workers), overlap=True)
    return lambda: best_response.best_responses(game, [0] * players)


def placed(game: CachingGame, method: Method = "bounds") -> Timed:
    """The whole solution of a placement game."""
    return lambda: solve_placement(game, method)


def grid(*, demand: object = 1, capacity: int | None = None) -> CachingGame:
    """200 caches on a grid."""
    return CachingGame.of(topology.grid(10, 20), 4, demand, capacity=capacity)


def line(nodes: int) -> CachingGame:
    """Caches on a line, with a price for recomputing."""
    return CachingGame.of(topology.line(nodes), "33/2", "3/2", 40)


def golden() -> Timed:
    """Every game whose solution is on record."""
    text = (paths.ROOT / "tests/golden/games.json").read_text(encoding="utf-8")
    games = [game_file.parse(case["game"], case["id"]) for case in json.loads(text)]
    return lambda: [solve(game) for game in games]


def command() -> None:
    """The whole command on a small game."""
    subprocess.run(
        [sys.executable, "-m", "anarchy", "solve", "-"],
        input=SMALL,
        stdout=subprocess.DEVNULL,
        text=True,
        check=True,
        cwd=paths.ROOT,
    )


ROWS: list[tuple[str, float, Callable[[], Timed]]] = [
    ("enumeration 16 players x 2", 2, lambda: solved(routing(16, rising(2)), "enumeration")),
    ("enumeration 16 x 2, offsets", 2, lambda: solved(routing(16, rising(2), True), "enumeration")),
    ("counting 200 players x 8", 1, lambda: solved(routing(200, rising(8)))),
    ("counting 200 x 8, M/M/1", 1, lambda: solved(routing(200, servers(8, 200)))),
    ("counting 200 x 8, no order", 10, lambda: solved(routing(200, shuffled(8, 200)))),
    ("counting 1000 x 8", 2, lambda: solved(routing(1000, rising(8)))),
    ("assignment 2000 requests x 8", 2, lambda: assigned(2000, 8)),
    ("best responses 2000 x 8", 2, lambda: responded(2000, 8)),
    ("bounds 2000 x 8", 10, lambda: solved(routing(2000, rising(8), True))),
    ("caches, grid 10x20", 10, lambda: placed(grid())),
    (
        "caches, grid, 5 objects",
        10,
        lambda: placed(grid(demand=[[5, 4, 3, 2, 1]] * 200, capacity=2)),
    ),
    ("caches, islands 10x20", 10, lambda: placed(CachingGame.of(ISLANDS, 10))),
    ("caches, line 200", 10, lambda: placed(line(200))),
    ("caches, line 400, exact", 5, lambda: placed(line(400), "auto")),
    ("caches, grid 4x4, exact", 5, lambda: placed(CachingGame.of(topology.grid(4, 4), 4), "auto")),
    ("golden games, all of them", 10, golden),
]

COMMAND_LIMIT = 0.6
"""Seconds of the clock that the command should take with a small game, its start included."""

SMALL = "kind: caching\ntopology: {complete: 3}\nplacement_cost: 1\n"


def measure(effort: Effort, say: Say) -> list[Row]:
    """Seconds of each row; `limit` is what it should stay below."""
    rows: list[Row] = []
    for name, limit, build in ROWS:
        say(name)
        timed = build()
        seconds = [spend(timed)[1].cpu for _ in range(effort.repeats)]
        id = "games." + re.sub(r"[^a-z0-9]+", "_", name.lower()) + ".seconds"
        what = f"{name}; should be below {limit:g} s"
        rows.append({**row(id, seconds, "s", "cpu", what), "limit": limit})
    say("the command")
    walls = [spend(command)[1].wall for _ in range(effort.repeats)]
    what = f"`anarchy solve` of a small game; should be below {COMMAND_LIMIT:g} s"
    rows.append({**row("games.command.seconds", walls, "s", "wall", what), "limit": COMMAND_LIMIT})
    return rows
