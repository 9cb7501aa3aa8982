"""Statistics of shared prefixes, against searches over all earlier prompts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.measure.prefix_sharing import (
    best_overlaps,
    conversations,
    dispersion,
    lru_reuse,
    reuse_distances,
    sharing_facts,
)
from anarchy.workload.trace_facts import reuse_ceiling
from anarchy.workload.traces import TraceData

SIZE = 10


def trace(prompts, arrival=None):
    """Prompts as lists of texts, one per block; ids name whole prefixes."""
    names: dict[tuple[int, ...], int] = {}
    blocks = [
        tuple(names.setdefault(tuple(p[: k + 1]), len(names)) for k in range(len(p)))
        for p in prompts
    ]
    tokens = np.array([len(p) * SIZE - 3 for p in prompts], dtype=np.int64)
    times = np.arange(len(prompts), dtype=float) if arrival is None else np.array(arrival)
    return TraceData(times, tokens, np.ones_like(tokens), blocks, SIZE)


def common(one, other):
    return next(
        (k for k, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


prompts = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), min_size=1, max_size=12)


@given(prompts)
def test_best_overlaps_are_those_of_a_search(texts):
    found = best_overlaps(trace(texts))
    for i, prompt in enumerate(texts):
        depths = [common(prompt, earlier) for earlier in texts[:i]]
        best = max(depths, default=0)
        assert found.shared[i] == best
        latest = max((j for j, depth in enumerate(depths) if depth == best > 0), default=-1)
        assert found.source[i] == latest


@settings(max_examples=60)
@given(prompts, st.integers(0, 8))
def test_lru_reuse_is_that_of_a_list_kept_in_order(texts, capacity):
    data = trace(texts)
    held: list[int] = []  # most recent first
    found = 0
    for tokens, blocks in zip(data.input_tokens.tolist(), data.blocks, strict=True):
        overlap = next((k for k, b in enumerate(blocks) if b not in held), len(blocks))
        found += min(tokens, overlap * SIZE)
        held = [*blocks, *(b for b in held if b not in blocks)][:capacity]
    share = found / int(data.input_tokens.sum())
    ceiling = reuse_ceiling(data)
    assert lru_reuse(data, [capacity * SIZE + SIZE // 2, 10**9]) == [share, ceiling]
    assert share <= ceiling


def test_conversations_by_hand():
    data = trace([[0, 1], [0, 2, 5], [0], [0, 1, 3], [0], [0, 1, 3, 4], [0, 2, 5]])
    talks = conversations(data, 1)
    assert talks.turn.tolist() == [0, 0, 0, 1, 0, 2, 1]
    assert sorted(talks.sizes.tolist()) == [1, 1, 2, 3]
    assert talks.growth.tolist() == [10, 10, 0]


def test_reuse_distances_by_hand():
    data = trace([[0, 1], [0, 2], [0, 1, 3], [0, 3], [0, 1, 4]], arrival=[0.0, 1.0, 5.0, 6.0, 9.0])
    reuses = reuse_distances(data, 1)
    assert reuses.requests.tolist() == [2, 2]
    assert reuses.seconds.tolist() == [5.0, 4.0]


def test_dispersion_by_hand():
    arrival = np.array([0.0, 0.0, 2.999, 3.0, 6.002, 9.0, 9.0, 11.8])
    # Windows of 3 s hold 2, 2 (the tick near 3 s is one) and 1; the fourth is not complete.
    assert dispersion(arrival, [3.0]) == pytest.approx([np.var([2, 2, 1], ddof=1) / (5 / 3)])
    assert np.isnan(dispersion(arrival, [11.0])).all()


def test_regular_ticks_have_no_dispersion():
    assert dispersion(np.arange(0.0, 90.0, 3.0), [3.0, 30.0]) == pytest.approx([0.0, 0.0])


def test_the_facts_of_a_small_trace():
    facts = sharing_facts(trace([[0, 1], [0, 2, 5], [0, 1, 3], [0, 1, 3, 4], [0, 2, 6]]), 1)
    assert facts["rate"] == 1.0
    assert facts["requests-reusing"] == 0.6
    assert facts["conversation-turns-mean"] == 2.5
    assert facts["overlap-blocks-mean"] == pytest.approx((2 + 3 + 2) / 3, rel=1e-5)
    assert facts["reuse-unlimited"] == facts["reuse-lru-500k"]


def test_traces_without_what_is_asked_are_refused():
    bare = TraceData(np.zeros(1), np.array([5]), np.array([7]), [()], None)
    with pytest.raises(ValueError, match="prefixes"):
        best_overlaps(bare)
    with pytest.raises(ValueError, match="no conversation of two"):
        sharing_facts(trace([[0, 1], [0, 2]]), 1)
