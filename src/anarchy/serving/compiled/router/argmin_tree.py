"""The least of many workers, found and kept in a time that grows with their logarithm.

A complete binary tree over the workers holds at each node the least key below it and how many
have it, so that the k-th of the tied ones is found on one way down. It serves the policies whose
costs are one integer of the worker plus a constant, and is kept where nobody asks for all costs.
"""

from anarchy.serving.compiled.core.compile import inner
from anarchy.serving.compiled.core.router_records import TreeNode
from anarchy.serving.compiled.core.tables import Table, zeros

NO_KEY = 2**62
"""The key of leaves without a worker."""


def make_tree(workers: int) -> Table[TreeNode]:
    """The tree of workers who all have key 0: node 1 is the root, the second half are leaves."""
    leaves = 1 << (workers - 1).bit_length()
    tree: Table[TreeNode] = zeros(TreeNode, 2 * leaves)
    tree["least"][leaves + workers :] = NO_KEY
    tree["tied"][leaves : leaves + workers] = 1
    for node in range(leaves - 1, 0, -1):
        tree[node].least = tree[2 * node].least
        tree[node].tied = tree[2 * node].tied + tree[2 * node + 1].tied
    return tree


@inner
def set_key(tree: Table[TreeNode], w: int, key: int) -> None:
    """Give a worker a new key."""
    number = len(tree) // 2 + w
    tree[number].least = key
    while number > 1:
        number >>= 1
        node, left, right = tree[number], tree[2 * number], tree[2 * number + 1]
        node.least = min(left.least, right.least)
        node.tied = 0
        if left.least == node.least:
            node.tied += left.tied
        if right.least == node.least:
            node.tied += right.tied


@inner
def least_at(tree: Table[TreeNode], place: int) -> int:
    """The worker at a place, from 0, among those with the least key, in order of number."""
    leaves, least = len(tree) // 2, tree[1].least
    number = 1
    while number < leaves:
        number *= 2
        left = tree[number]
        here = left.tied if left.least == least else 0
        if place >= here:
            place -= here
            number += 1
    return number - leaves
