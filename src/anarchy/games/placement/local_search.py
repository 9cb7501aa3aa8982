"""Good placements by local search on the social cost: one copy is added, dropped, moved or renamed.

The change in cost of every such step is found together from each node's nearest and second
nearest copy (Resende and Werneck, European Journal of Operational Research 2006).
"""

from dataclasses import dataclass

import numpy as np

from anarchy.games.placement.game import Copies, Costs, Integers

CLEARED = 0.05
"""Share of nodes that lose their copies before another descent."""


def descend(costs: Costs, copies: Copies) -> Copies:
    """Take the best step for each object in turn until none lowers the social cost."""
    copies = copies.copy()
    unfinished = True
    while unfinished:
        moved = [_move(costs, copies, item) for item in range(costs.objects)]
        unfinished = any(moved) or _rename(costs, copies)
    return copies


def descend_again(costs: Costs, copies: Copies, kicks: int, random: np.random.Generator) -> Copies:
    """Clear a random neighbourhood and descend from there, again and again; keep the best."""
    best, least = copies, costs.social(copies)
    cleared = max(int(costs.nodes * CLEARED), 1)
    for _ in range(kicks):
        centre, item = random.integers(costs.nodes), random.integers(costs.objects)
        fetch = costs.fetch[item][:, centre].copy()
        fetch[centre] = 0
        tried = best.copy()
        tried[np.argsort(fetch, kind="stable")[:cleared]] = False
        tried = descend(costs, tried)
        cost = costs.social(tried)
        # An equally good placement is taken as well, so that the search moves on.
        if cost <= least:
            best, least = tried, cost
    return best


@dataclass(frozen=True, eq=False)
class _Steps:
    """Changes in the social cost by what is done to the copies of one object.

    owners  the nodes with a copy
    add     shape (n,): a copy at each node, without meaning at owners
    drop    one per owner
    spared  shape (n, n): what a node is spared by a new copy if it has lost its nearest one
    owner   position in `owners` of each node's nearest copy, -1 for a miss
    """

    owners: Integers
    add: Integers
    drop: Integers
    spared: Integers
    owner: Integers


def _steps(costs: Costs, copies: Copies, item: int) -> _Steps:
    fetch = costs.fetch[item].copy()
    np.fill_diagonal(fetch, 0)
    owners = np.flatnonzero(copies[:, item])
    nearest, second, owner = _two_nearest(fetch[:, owners], costs.miss[:, item])
    add = costs.placement - np.maximum(nearest[:, None] - fetch, 0).sum(axis=0)
    spared = np.maximum(second[:, None] - np.maximum(nearest[:, None], fetch), 0)
    lost = second - nearest
    drop = np.array(
        [lost[owner == row].sum() - costs.placement[node] for row, node in enumerate(owners)],
        dtype=fetch.dtype,
    )
    return _Steps(owners, add, drop, spared, owner)


def _move(costs: Costs, copies: Copies, item: int) -> bool:
    """Add, drop or move a copy of an object in place, if that lowers the cost."""
    steps = _steps(costs, copies, item)
    free = np.flatnonzero(~copies[:, item] & (copies.sum(axis=1) < costs.room))
    # The last row of `change` drops nothing, the last column adds nothing.
    change = np.zeros((steps.owners.size + 1, free.size + 1), dtype=steps.add.dtype)
    change[:, :-1] = steps.add[free]
    change[:-1] += steps.drop[:, None]
    for row in range(steps.owners.size):
        change[row, :-1] -= steps.spared[np.ix_(steps.owner == row, free)].sum(axis=0)
    row, column = divmod(int(np.argmin(change)), change.shape[1])
    if change[row, column] >= 0:
        return False
    if row < steps.owners.size:
        copies[steps.owners[row], item] = False
    if column < free.size:
        copies[free[column], item] = True
    return True


def _rename(costs: Costs, copies: Copies) -> bool:
    """Replace one object by another at one node in place, if that lowers the cost."""
    never = np.full(copies.shape, costs.infinite * costs.nodes, dtype=costs.fetch.dtype)
    add, drop = never.copy(), never.copy()
    for item in range(costs.objects):
        steps = _steps(costs, copies, item)
        add[:, item] = np.where(copies[:, item], never[:, item], steps.add)
        drop[steps.owners, item] = steps.drop
    # Objects do not share costs, so the changes of one drop and one addition add up.
    change = add.min(axis=1) + drop.min(axis=1)
    node = int(change.argmin())
    if change[node] >= 0:
        return False
    copies[node, drop[node].argmin()] = False
    copies[node, add[node].argmin()] = True
    return True


def _two_nearest(prices: Integers, miss: Integers) -> tuple[Integers, Integers, Integers]:
    """What each node pays now, what it would pay without its nearest copy, and which that is.

    `prices` has a column per copy. Whoever misses has no nearest copy: -1.
    """
    nodes = np.arange(miss.size)
    if prices.shape[1] == 0:
        return miss, miss, np.full(miss.size, -1)
    owner = prices.argmin(axis=1)
    nearest = prices[nodes, owner]
    others = prices.copy()
    others[nodes, owner] = miss
    second = np.minimum(others.min(axis=1), miss)
    return np.minimum(nearest, miss), second, np.where(nearest < miss, owner, -1)
