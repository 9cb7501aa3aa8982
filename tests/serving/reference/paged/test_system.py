"""Paged memory: every rule of it by a run that is computed by hand, and what never fails.

Prefill steps take 100 ms, decode steps 8 ms, whatever is in them.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.settings import load_scenario
from anarchy.serving.log.request_log import RequestLog
from anarchy.serving.reference.core.block_pool import BlockNames, BlockPool
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate
from anarchy.workload.prefix_ids import as_prefixes
from anarchy.workload.traces import TraceData
from tests.sandbox import inputs
from tests.serving.conftest import changed

ORACLE = load_scenario(paths.ROOT / paths.SCENARIOS, "oracle-3p5d")
Row = tuple[float, int, int, tuple[int, ...]]


def run(*rows: Row, blocks: int = 1000, **fields: object) -> RequestLog:
    """Rows (milliseconds, prompt, output, ids) on one worker of each kind; blocks of 64."""
    arrival, prompts, outputs, ids = zip(*rows, strict=True)
    trace = TraceData(
        np.array(arrival) / 1000, np.array(prompts), np.array(outputs), list(ids), 512
    )
    small = {"topology__prefill": 1, "topology__decode": 1, "workload__rows": len(rows)}
    small["engine__cache__capacity_tokens"] = blocks * 64
    scenario = changed(ORACLE, **{**small, **fields})
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    return simulate(scenario, latency, seed=1, trace=trace).log


def ms(column: np.ndarray) -> list[float]:
    return np.round(column * 1000, 6).tolist()


def ids(first: int, tokens: int) -> tuple[int, ...]:
    return tuple(range(1000 * first, 1000 * first + -(-tokens // 512)))


def test_a_lone_request_takes_its_steps() -> None:
    log = run((0, 8192, 3, ids(1, 8192)))
    assert ms(log.ttft) == [108]
    assert ms(log.e2e) == [100 + 3 * 8]


def test_a_long_prompt_is_split_and_others_share_its_last_step() -> None:
    rows = [(0, 10_000, 1, ids(1, 10_000)), (1, 6000, 1, ids(2, 6000))]
    log = run(*rows)
    # 8192, then 1808 + 6000.
    assert ms(log.prefill_end) == [200, 200]
    whole = run(*rows, engine__prefill__chunked=False)
    assert ms(whole.prefill_end) == [100, 200]


def test_a_prompt_waits_for_slots_of_prefill_and_decode() -> None:
    rows = [(0, 100, 10, ids(k, 100)) for k in range(3)]
    assert ms(run(*rows, engine__prefill__batch_requests=2).prefill_end) == [100, 100, 200]
    assert ms(run(*rows, engine__decode__slots=2).decode_start) == [100, 100, 180]


def test_blocks_are_found_when_scheduled_or_when_their_step_has_ended() -> None:
    rows = [(0, 1024, 1, (1, 2)), (0, 1024, 1, (1, 2)), (500, 1100, 1, (1, 2, 3))]
    # A prompt that is cached whole computes its last block again; 1100 tokens have 17 whole ones.
    assert run(*rows).cached_tokens.tolist() == [0, 960, 1024]
    late = run(*rows, engine__memory__visible="step-end")
    assert late.cached_tokens.tolist() == [0, 0, 1024]


def test_equal_ids_after_other_ids_are_other_prefixes() -> None:
    first, second, third = as_prefixes([(1, 2), (3, 2), (1, 3)])
    log = run((0, 1024, 1, first), (500, 1024, 1, second), (1000, 1024, 1, third))
    assert log.cached_tokens.tolist() == [0, 0, 512]


def test_a_prompt_that_arrives_as_a_step_begins_has_missed_it() -> None:
    log = run((0, 20_000, 1, ids(1, 20_000)), (200, 64, 1, ids(2, 64)))
    assert ms(log.prefill_start) == [0, 300]
    idle = run((0, 64, 1, ids(1, 64)), (100, 64, 1, ids(2, 64)))
    assert ms(idle.prefill_start) == [0, 100]


def test_a_prompt_waits_for_room_and_finished_prompts_hold_theirs_until_decode_has_them() -> None:
    # 12 blocks: the second prompt of 8 has room when the first one has left for decode, at 100.
    rows = [(0, 512, 20, ids(1, 512)), (0, 512, 20, ids(2, 512))]
    log = run(*rows, blocks=12)
    assert ms(log.prefill_start) == [0, 100]
    # Decode has 4 blocks left; the first request is done at 100 + 20 * 8.
    assert ms(log.decode_start) == [100, 260]


def test_least_recently_used_blocks_make_room() -> None:
    rows = [(1000 * k, 512, 1, (prompt,)) for k, prompt in enumerate((1, 2, 1, 3, 1, 2))]
    # 17 blocks hold two prompts of 8 and one output; 3 takes the room of 2, not of 1.
    assert run(*rows, blocks=17).cached_tokens.tolist() == [0, 0, 448, 0, 448, 0]


@pytest.mark.parametrize(("preempt", "victim"), [("last", 1), ("first", 0)])
def test_when_blocks_run_out_a_request_starts_anew(preempt: str, victim: int) -> None:
    # 10 blocks: prompts take 4 + 4, each needs a fifth block at its second token, a sixth 64 later.
    rows = [(0, 256, 100, ids(1, 256)), (0, 256, 100, ids(2, 256))]
    log = run(*rows, blocks=10, engine__memory__preempt=preempt)
    assert ms(log.decode_start) == [100, 100]
    alone = 100 + 100 * 8
    assert ms(log.done)[1 - victim] == alone
    # The 65 tokens it has are kept, their KV is computed again in the step after the other's last.
    assert ms(log.done)[victim] == alone + 35 * 8


def test_never_preempt_admits_only_what_can_finish() -> None:
    rows = [(0, 256, 100, ids(1, 256)), (0, 256, 100, ids(2, 256))]
    log = run(*rows, blocks=10, engine__memory__preempt="never")
    assert ms(log.decode_start) == [100, 900]
    assert ms(log.done) == [900, 1700]


def test_a_transfer_begins_when_decode_has_reserved_and_ends_at_a_step() -> None:
    # 64 tokens * 163840 B at 1 GB/s are 10.48576 ms.
    rows = [(0, 64, 50, ids(1, 64)), (100, 64, 1, ids(2, 64))]
    log = run(*rows, engine__handoff__bandwidth=1e9)
    assert ms(log.decode_start)[0] == 110.48576
    # Reserved at the step end 110.48576 + 12 * 8 = 206.48576, there at 216.97152, joins at the
    # next end.
    assert ms(log.routed)[1] == 200
    assert ms(log.decode_start)[1] == 222.48576


@pytest.mark.parametrize(
    ("event", "ttft"), [("prefill", 100), ("handoff", 110.48576), ("decode-step", 118.48576)]
)
def test_definitions_of_the_first_token(event: str, ttft: float) -> None:
    fields = {"engine__first_token": event, "engine__handoff__bandwidth": 1e9}
    assert ms(run((0, 64, 5, ids(1, 64)), **fields).ttft) == [ttft]


def test_a_request_that_no_worker_can_hold_is_refused() -> None:
    with pytest.raises(InputError, match="needs 9 blocks of 64, a worker has 8"):
        run((0, 512, 1, ids(1, 512)), blocks=8)


def test_blocks_of_the_trace_must_be_cut_evenly() -> None:
    with pytest.raises(InputError, match="96 does not divide the 512 tokens"):
        run((0, 512, 1, ids(1, 512)), engine__cache__block_tokens=96)


def test_chunks_need_paged_memory() -> None:
    with pytest.raises(InputError, match=r"'prefill.chunked' needs 'memory.paged'"):
        changed(ORACLE, engine__memory__paged=False)


rows_strategy = st.lists(
    st.builds(
        lambda gap, blocks, last, output, prefix: (gap, blocks * 64 + last, output, prefix),
        st.sampled_from([0, 1, 8, 50, 100, 300]),
        st.integers(0, 30),
        st.integers(1, 64),
        st.integers(1, 150),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(rows_strategy, st.sampled_from([40, 60, 200]), st.sampled_from(["step-end", "scheduled"]))
def test_every_request_is_served_in_order(
    drawn: list[tuple[int, int, int, int]], blocks: int, visible: str
) -> None:
    """Nothing is preempted here, so nothing can stand still."""
    time, rows = 0, []
    for gap, prompt, output, prefix in drawn:
        time += gap
        rows.append((time, prompt, output, ids(prefix, prompt)))
    fields = {"engine__memory__visible": visible, "engine__memory__preempt": "never"}
    log = run(*rows, blocks=blocks, **fields)
    assert len(log) == len(rows)
    steps = np.round((log.done - log.decode_start) / 0.008)
    assert (steps == log.output_tokens).all(), "one step per token, without a break"
    assert (log.cached_tokens < log.input_tokens).all()
    order = ["arrival", "prefill_start", "prefill_end", "routed", "decode_start", "done"]
    for earlier, later in pairwise(order):
        assert (getattr(log, earlier) <= getattr(log, later) + 1e-9).all(), (earlier, later)


@pytest.mark.random
@inputs(1)
@given(st.data())
def test_a_pool_never_loses_a_block(data: st.DataObject) -> None:
    pool, held = BlockPool(12), []
    for _ in range(data.draw(st.integers(1, 30))):
        if held and data.draw(st.booleans()):
            pool.release(held.pop(data.draw(st.integers(0, len(held) - 1))))
        else:
            names = list(range(data.draw(st.integers(0, 6))))
            found, _ = pool.match(names)
            blocks = pool.take(names[:found], data.draw(st.integers(0, 4)) + len(names) - found)
            if blocks is not None:
                for block, name in zip(blocks, names, strict=False):
                    if block.name is None:
                        pool.name(block, name)
                held.append(blocks)
        assert pool.held == len({block for blocks in held for block in blocks})
        assert 0 <= pool.free <= pool.available <= pool.capacity


def test_two_copies_of_a_block_are_found_one_after_the_other() -> None:
    pool = BlockPool(3)
    copies = [pool.take([], 1) for _ in range(2)]
    for copy in copies:
        assert copy is not None
        pool.name(copy[0], 7)
        pool.release(copy)
    assert pool.match([7]) == (1, 0)
    assert pool.take([], 2) is not None
    assert pool.match([7]) == (1, 0), "the younger copy is left"
    assert pool.take([], 1) is not None
    assert pool.match([7]) == (0, 0)
    assert pool.take([], 1) is None


def test_names_cover_whole_blocks_and_stand_for_prefixes() -> None:
    names = BlockNames(512, 64)
    first = names.names((5, 6), 1000)
    assert len(first) == 15
    assert names.names((5, 6), 700) == first[:10]
    assert names.names((6, 5), 700)[:8] != first[8:16]
    assert len(set(names.names((), 640)) | set(names.names((), 640))) == 20
