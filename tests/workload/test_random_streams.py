"""Random streams: seed, replication and name fix what is drawn, now and for ever."""

import numpy as np

from anarchy.workload.random_streams import STREAMS, streams


def test_streams_are_the_children_of_the_seed_in_the_order_of_their_names() -> None:
    children = np.random.SeedSequence(entropy=7, spawn_key=(3,)).spawn(len(STREAMS))
    found = streams(7, 3)
    assert [*found] == [*STREAMS]
    for name, child in zip(STREAMS, children, strict=True):
        expected = np.random.default_rng(child)
        assert found[name].random(3).tolist() == expected.random(3).tolist()
        assert found[name].spawn(1)[0].random() == expected.spawn(1)[0].random()


def test_some_streams_are_the_same_as_among_all() -> None:
    some, every = streams(7, 3, ("tenants", "starts")), streams(7, 3)
    assert [*some] == ["tenants", "starts"]
    assert [rng.random() for rng in some.values()] == [every[name].random() for name in some]
