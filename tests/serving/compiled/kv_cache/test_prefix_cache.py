"""Nodes of caches are left from run to run."""

import numpy as np

from anarchy.serving.compiled.kv_cache.prefix_cache import make_caches, release


def test_nodes_are_left_to_the_next_run_of_as_many_and_to_no_two_at_once() -> None:
    first = make_caches(2, 30, 10, 0)
    release(first)
    again, beside = make_caches(2, 30, 10, 0), make_caches(2, 30, 10, 0)
    assert np.shares_memory(again.nodes, first.nodes)
    assert not np.shares_memory(beside.nodes, first.nodes)
    release(again)
    assert not np.shares_memory(make_caches(3, 30, 10, 0).nodes, first.nodes)
