"""Describing recorded traces."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.workload.trace_facts import describe_trace, reuse_ceiling
from anarchy.workload.traces import MOONCAKE_BLOCK, TraceData


def values(data):
    return {row["id"]: row["value"] for row in describe_trace(data)}


def test_the_ceiling_of_a_small_trace_is_exact():
    data = TraceData(
        arrival=np.array([0.0, 1.0, 4.0, 6.0]),
        input_tokens=np.array([600, 1100, 600, 10]),
        output_tokens=np.array([1, 2, 3, 4]),
        # The third is the first again, with its partial block; the last has a new beginning.
        blocks=[(1, 2), (1, 3, 2), (1, 2), (4,)],
        block_tokens=512,
    )
    assert reuse_ceiling(data) == float(Fraction(512 + 600, 600 + 1100 + 600 + 10))
    described = values(data)
    assert described["requests"] == 4
    assert described["duration"] == 6.0
    assert described["rate"] == 0.5
    assert described["input-tokens-mean"] == 577.5
    assert described["input-tokens-p50"] == 600
    assert described["output-tokens-p50"] == 2.5
    assert described["unique-blocks"] == 4
    assert described["reuse-ceiling"] == reuse_ceiling(data)


def test_one_request_has_no_rate_and_no_reuse():
    data = TraceData(np.zeros(1), np.array([5]), np.array([7]), [(1,)], 512)
    described = values(data)
    assert described["rate"] is None
    assert described["reuse-ceiling"] == 0
    assert described["output-tokens-p99"] == 7


def test_without_prefix_information_there_is_no_ceiling():
    data = TraceData(np.zeros(2), np.array([5, 6]), np.array([7, 8]), [(), ()], None)
    assert not {"unique-blocks", "reuse-ceiling"} & set(values(data))
    with pytest.raises(ValueError, match="prefixes"):
        reuse_ceiling(data)


@given(st.lists(st.tuples(st.lists(st.integers(0, 3), min_size=1, max_size=4)), min_size=1))
def test_the_ceiling_of_chained_hashes_is_that_of_the_prompts(prompts):
    """Ids that name whole prefixes, against a search over all earlier prompts."""
    names, blocks = {}, []
    for (prompt,) in prompts:
        prefixes = [tuple(prompt[: k + 1]) for k in range(len(prompt))]
        blocks.append(tuple(names.setdefault(prefix, len(names)) for prefix in prefixes))
    tokens = np.array([len(prompt) * MOONCAKE_BLOCK for (prompt,) in prompts])
    zeros = np.zeros(len(tokens))
    expected = 0
    for i, (prompt,) in enumerate(prompts):
        for k in range(len(prompt), 0, -1):
            if any(earlier[:k] == prompt[:k] for (earlier,) in prompts[:i]):
                expected += k * MOONCAKE_BLOCK
                break
    data = TraceData(zeros, tokens, tokens, blocks, MOONCAKE_BLOCK)
    assert reuse_ceiling(data) == expected / tokens.sum()
