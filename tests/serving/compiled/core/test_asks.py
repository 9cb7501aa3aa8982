"""The rows of a trace as asks: how blocks are numbered, cut, and kept for the next run."""

import numpy as np

from anarchy.serving.compiled.core.asks import TraceAsks
from anarchy.workload.traces import TraceData

SIZE = 512


def trace(*blocks: tuple[int, ...]) -> TraceData:
    """Prompts of these blocks, all but one token of the last one."""
    inputs = np.array([SIZE * len(ids) - 1 for ids in blocks])
    return TraceData(np.arange(len(blocks)) / 10, inputs, np.ones_like(inputs), blocks, SIZE)


def test_blocks_are_numbered_in_order_of_appearance() -> None:
    asks = TraceAsks(trace((9, 4), (9, 7), (2,)), 3, SIZE, None)
    assert asks.blocks.tolist() == [0, 1, 0, 2, 3]
    assert asks.names.tolist() == [9, 4, 7, 2]
    rows = asks.next(5)
    assert rows["first_shared"].tolist() == [0, 2, 4]
    assert rows["shared_blocks"].tolist() == rows["prompt_blocks"].tolist() == [2, 2, 1]


def test_the_numbers_are_kept_for_the_next_run_on_the_same_rows_only() -> None:
    one, other = trace((9, 4), (9, 7), (2,)), trace((5, 6), (5,), (5, 6))
    first = TraceAsks(one, 3, SIZE, None)
    assert TraceAsks(one, 3, SIZE, None).blocks is first.blocks
    assert TraceAsks(one, 1, SIZE, None).names.tolist() == [9, 4]
    assert TraceAsks(other, 3, SIZE, None).blocks.tolist() == [0, 1, 0, 0, 1]
    assert TraceAsks(one, 3, SIZE, None).blocks.tolist() == first.blocks.tolist()


def test_blocks_are_cut_into_whole_blocks_of_the_engine() -> None:
    asks = TraceAsks(trace((9, 4), (9,)), 2, SIZE, SIZE // 2)
    assert asks.blocks.tolist() == [0, 1, 2, 3, 0, 1]
    rows = asks.next(2)
    assert rows["ids"].tolist() == [2, 1]
    assert rows["first_shared"].tolist() == [0, 4]
    assert rows["prompt_blocks"].tolist() == [4, 2]
    assert rows["shared_blocks"].tolist() == [3, 1], "the last one is not whole"
