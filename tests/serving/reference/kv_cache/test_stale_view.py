"""What a router sees late is what was there before the lag."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.kv_cache.prefix_index import PrefixCaches, PrefixIndex
from anarchy.serving.reference.kv_cache.stale_view import PoolCaches, StaleView

Insertions = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.integers(0, 2),
        st.sampled_from([(1, 2, 3), (1, 2), (1, 5), (7, 8, 9), (7,)]),
    ),
    max_size=12,
)


@given(insertions=Insertions, now=st.integers(0, 12), lag=st.sampled_from([0, 1, 4]))
def test_stale_caches_show_what_was_there_before_the_lag(
    insertions: list[tuple[int, int, tuple[int, ...]]], now: int, lag: int
) -> None:
    events = SimpleNamespace(now=0)
    caches = PoolCaches(lambda _: PrefixCaches(3, 4), events, lag)  # type: ignore[arg-type]
    true, late = PrefixCaches(3, 4), PrefixCaches(3, 4)
    for time, worker, blocks in sorted(insertions):
        if time > now:
            break
        events.now = time
        caches.insert(worker, blocks)
        true.insert(worker, blocks)
        if time + lag <= now:
            late.insert(worker, blocks)
    events.now = now
    for prompt in ((1, 2, 3), (1, 5), (7, 8, 9)):
        assert caches.held.overlaps(prompt) == true.overlaps(prompt)
        assert caches.seen.overlaps(prompt) == late.overlaps(prompt)
    assert caches.seen.sizes() == late.sizes()


def test_a_stale_index_shows_changes_late_and_in_order() -> None:
    events = EventQueue()
    index = StaleView(lambda _: PrefixIndex(2), events, 1.0)
    seen = []

    def look(_: object) -> None:
        seen.append((events.now, index.overlaps((1, 2)), index.sizes()[0]))

    index.store(0, 1)
    events.timeout(0.5).callbacks.append(lambda _: index.store(0, 2))  # type: ignore[union-attr]
    events.timeout(0.75).callbacks.append(lambda _: index.remove(0, 1))  # type: ignore[union-attr]
    for time in (0.9, 1.0, 1.6, 1.75):
        events.timeout(time).callbacks.append(look)  # type: ignore[union-attr]
    events.run()
    assert seen == [(0.9, [0, 0], 0), (1.0, [1, 0], 1), (1.6, [2, 0], 2), (1.75, [0, 0], 1)]


def test_without_a_lag_routers_see_the_caches_themselves() -> None:
    caches = PoolCaches(lambda _: PrefixCaches(2, 4), EventQueue(), 0.0)
    assert caches.seen is caches.held
    caches.insert(1, (7, 8))
    assert caches.seen.overlaps((7, 8, 9)) == [0, 2], "and each prompt is inserted once"
    assert caches.seen.sizes() == [0, 2]
    caches.clear(1)
    assert caches.seen.sizes() == [0, 0]
