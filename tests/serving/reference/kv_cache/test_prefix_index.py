"""Prefix caches against a brute-force model that keeps one ordered list per worker."""

from hypothesis import given
from hypothesis import strategies as st

from anarchy.serving.reference.kv_cache.prefix_index import PrefixCaches


class Naive:
    """The obvious model: a list of blocks per worker, least recently used first."""

    def __init__(self, workers: int, capacity: int) -> None:
        self.held: list[list[int]] = [[] for _ in range(workers)]
        self.capacity = capacity

    def overlap(self, worker: int, blocks: list[int]) -> int:
        depth = 0
        while depth < len(blocks) and blocks[depth] in self.held[worker]:
            depth += 1
        return depth

    def insert(self, worker: int, blocks: list[int]) -> None:
        held = self.held[worker]
        for block in reversed(blocks):
            if block in held:
                held.remove(block)
            held.append(block)
        del held[: max(0, len(held) - self.capacity)]


prompts = st.lists(st.integers(0, 12), min_size=0, max_size=6, unique=True)


@given(
    workers=st.integers(1, 70),
    capacity=st.integers(1, 9),
    steps=st.lists(st.tuples(st.integers(0, 69), prompts), max_size=30),
    probe=prompts,
)
def test_equals_the_naive_model(
    workers: int, capacity: int, steps: list[tuple[int, list[int]]], probe: list[int]
) -> None:
    caches, naive = PrefixCaches(workers, capacity), Naive(workers, capacity)
    for worker, blocks in steps:
        caches.insert(worker % workers, blocks)
        naive.insert(worker % workers, blocks)
    expected = [naive.overlap(worker, probe) for worker in range(workers)]
    assert caches.overlaps(probe) == expected
    assert [caches.overlap(worker, probe) for worker in range(workers)] == expected
    assert caches.sizes() == [len(held) for held in naive.held]


def test_eviction_takes_the_tail_of_a_prompt_first() -> None:
    caches = PrefixCaches(1, 3)
    caches.insert(0, [1, 2, 3])
    caches.insert(0, [9])
    assert caches.overlap(0, [1, 2, 3]) == 2


def test_a_hole_ends_the_overlap() -> None:
    caches = PrefixCaches(2, 10)
    caches.insert(0, [1])
    caches.insert(0, [3])
    assert caches.overlaps([1, 2, 3]) == [1, 0]


def test_empty_prompt_overlaps_nowhere() -> None:
    assert PrefixCaches(3, 4).overlaps([]) == [0, 0, 0]


def test_one_tier_holds_the_whole_overlap() -> None:
    caches = PrefixCaches(2, 10)
    caches.insert(1, [1, 2])
    assert caches.overlaps_by_tier([1, 2, 3]) == [[0, 2]]


@given(
    capacity=st.integers(1, 9),
    prompts=st.lists(prompts, max_size=30),
)
def test_a_larger_cache_holds_all_that_a_smaller_one_does(
    capacity: int, prompts: list[list[int]]
) -> None:
    smaller, larger = PrefixCaches(1, capacity), PrefixCaches(1, capacity + 1)
    for blocks in prompts:
        assert smaller.overlap(0, blocks) <= larger.overlap(0, blocks)
        smaller.insert(0, blocks)
        larger.insert(0, blocks)
    assert all(smaller.overlap(0, [block]) <= larger.overlap(0, [block]) for block in range(13))


def test_caches_of_one_worker_are_cleared_alone() -> None:
    caches = PrefixCaches(2, 10)
    for worker in (0, 1):
        caches.insert(worker, (1, 2, 3))
    caches.insert(0, (7, 8))
    caches.clear(0)
    assert caches.overlaps((1, 2, 3)) == [0, 3]
    assert caches.sizes() == [0, 3]
    caches.insert(0, (1, 2))
    assert caches.overlaps((1, 2, 3)) == [2, 3]
    caches.clear(0)
    caches.clear(1)
    assert caches.overlaps((1,)) == [0, 0]
