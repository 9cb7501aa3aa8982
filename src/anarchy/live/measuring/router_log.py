"""What the router decided and why, read from its own log.

For each decision it writes a line a worker, `Formula for worker_id=...` with the cost and what it
is made of, and then `Selected worker: worker_id=...`. Decisions of the two pools interleave; those
of one pool do not. Source: Dynamo 0.9.0, `kv_router/scheduler.rs`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from anarchy.live.processes import LiveError

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_FORMULA = re.compile(
    r"Formula for worker_id=(?P<worker>\d+) .*?: (?P<cost>-?[\d.]+)"
    r" = (?P<weight>[\d.]+) \* prefill_blocks \+ decode_blocks"
)
_SELECTED = re.compile(r"Selected worker: worker_id=(?P<worker>\d+) ")


@dataclass(frozen=True)
class Decision:
    """The costs of all workers of a pool, in the order of their numbers, and which was taken.

    `weight` is that of the prefill blocks in the costs.
    """

    costs: tuple[float, ...]
    weight: float
    chosen: int


def read_decisions(lines: Iterable[str], workers: Sequence[int]) -> Iterator[Decision]:
    """The decisions on one pool, whose workers have these ids, in order.

    A log may be cut anywhere: a decision whose first lines are missing is left out if it is the
    first one, and one whose last lines are missing if it is the last. Raises LiveError for a
    decision that lacks workers between whole ones.
    """
    place = {worker: number for number, worker in enumerate(workers)}
    costs: dict[int, float] = {}
    weight = 0.0
    first = True
    for line in map(_plain, lines):
        if formula := _FORMULA.search(line):
            worker = int(formula["worker"])
            if worker in place:
                costs[place[worker]] = float(formula["cost"])
                weight = float(formula["weight"])
        elif selected := _SELECTED.search(line):
            worker = int(selected["worker"])
            if worker not in place:
                continue
            if len(costs) == len(place):
                in_order = tuple(costs[number] for number in range(len(place)))
                yield Decision(in_order, weight, place[worker])
            elif not first:
                raise LiveError(
                    f"the router's log: a decision with costs of {len(costs)} of {len(place)} "
                    f"workers; its line: {line.strip()}"
                )
            costs, first = {}, False


def _plain(line: str) -> str:
    """The line without the colours of a terminal."""
    return _ESCAPES.sub("", line)
