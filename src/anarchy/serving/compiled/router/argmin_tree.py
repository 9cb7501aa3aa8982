"""The least of many workers, found and kept in a time that grows with their logarithm.

A complete binary tree over the workers holds at each node the least key below it and how many
have it, so that the k-th of the tied ones is found on one way down. It serves the policies whose
costs are one integer of the worker plus a constant, and is kept where nobody asks for all costs.
"""

import numpy as np

from anarchy.serving.compiled.core.arena import Arena
from anarchy.serving.compiled.core.compile import inner
from anarchy.serving.compiled.core.records import LEAVES, TREE, WORKERS, Ints

LEAST, TIED = 0, 1
NODE = 2

NO_KEY = 2**62
"""The key of leaves without a worker."""


def lay_tree(arena: Arena, leg: int) -> None:
    """Lay out the tree of a leg whose workers all have key 0; node 1 is the root."""
    workers = int(arena.ints[leg + WORKERS])
    leaves = 1 << (workers - 1).bit_length()
    nodes = np.zeros((2 * leaves, NODE), np.int64)
    nodes[leaves:, LEAST] = NO_KEY
    nodes[leaves : leaves + workers] = (0, 1)
    for node in range(leaves - 1, 0, -1):
        below = nodes[2 * node : 2 * node + 2]
        least = below[:, LEAST].min()
        nodes[node] = least, below[below[:, LEAST] == least, TIED].sum()
    arena.move(leg + TREE, nodes)
    arena.ints[leg + LEAVES] = leaves


@inner
def set_key(ints: Ints, leg: int, w: int, key: int) -> None:
    """Give a worker a new key."""
    tree = ints[leg + TREE]
    node = ints[leg + LEAVES] + w
    ints[tree + NODE * node + LEAST] = key
    while node > 1:
        node >>= 1
        left = tree + NODE * 2 * node
        right = left + NODE
        least, tied = ints[left + LEAST], ints[left + TIED]
        if ints[right + LEAST] < least:
            least, tied = ints[right + LEAST], ints[right + TIED]
        elif ints[right + LEAST] == least:
            tied += ints[right + TIED]
        ints[tree + NODE * node + LEAST] = least
        ints[tree + NODE * node + TIED] = tied


@inner
def tied_for_least(ints: Ints, leg: int) -> int:
    """How many workers have the least key."""
    return ints[ints[leg + TREE] + NODE + TIED]


@inner
def least_at(ints: Ints, leg: int, place: int) -> int:
    """The worker at a place, from 0, among those with the least key, in order of number."""
    tree, leaves = ints[leg + TREE], ints[leg + LEAVES]
    least = ints[tree + NODE + LEAST]
    node = 1
    while node < leaves:
        node *= 2
        left = tree + NODE * node
        here = ints[left + TIED] if ints[left + LEAST] == least else 0
        if place >= here:
            place -= here
            node += 1
    return node - leaves
