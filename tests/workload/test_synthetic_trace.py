"""Synthetic traces: what each must be, and how near it is to the recording's facts."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.validation import validate
from anarchy.measure.prefix_sharing import conversations, sharing_facts
from anarchy.workload import synthetic_trace as module
from anarchy.workload.block_table import BlockTable
from anarchy.workload.synthetic_trace import MOST_ROWS, generate
from anarchy.workload.synthetic_trace_parameters import TraceParameters, load_trace_parameters

SYNTHETIC_TRACES = paths.ROOT / paths.CONFIG / "synthetic-traces"
MOONCAKE = load_trace_parameters(SYNTHETIC_TRACES, "mooncake-conversation")
RECORDED = 12_031

SEEDS = 6
"""Synthetic traces as long as the recording whose spread is the sampling noise."""
LIMIT = 3.0
"""How many prediction errors a fact may be from the mean of the synthetic traces, the error
being that of one more."""
MISFITS = {
    "reuse-after-seconds-mean": 0.09,
    "reuse-after-seconds-p90": 0.10,
    "reuse-after-requests-p90": 0.08,
    "reuse-after-requests-mean": 0.08,
    "dispersion-30s": 0.30,
}
"""Facts known to be outside the noise, with the largest relative error stated for them."""


def changed(**values):
    """The parameters with fields replaced: `later__go_on=[0]` sets later.go_on."""
    data = MOONCAKE.model_dump()
    for path, value in values.items():
        *parents, last = path.split("__")
        node = data
        for key in parents:
            node = node[key]
        node[last] = value
    return validate(TraceParameters, data, "test")


def equal(one, other):
    assert (one.arrival == other.arrival).all()
    assert (one.input_tokens == other.input_tokens).all()
    assert (one.output_tokens == other.output_tokens).all()
    assert list(one.blocks) == list(other.blocks)


@settings(max_examples=10)
@given(st.integers(0, 2**40), st.integers(1, 1500))
def test_a_synthetic_trace_is_a_trace(seed, rows):
    data = generate(MOONCAKE, rows, seed)
    assert len(data) == len(data.blocks) == len(data.input_tokens) == len(data.output_tokens)
    assert len(data) == rows
    assert data.arrival[0] == 0
    assert (np.diff(data.arrival) >= 0).all()
    assert (data.arrival % MOONCAKE.tick == 0).all()
    assert data.arrival.dtype == np.float64
    assert data.input_tokens.dtype == data.output_tokens.dtype == np.int64
    assert data.output_tokens.min() >= 1
    assert data.input_tokens.max() <= MOONCAKE.longest_input
    before: dict[int, int] = {}
    for tokens, blocks in zip(data.input_tokens.tolist(), data.blocks, strict=True):
        assert len(blocks) == -(-tokens // 512)
        assert blocks[0] == 0
        for parent, block in zip((-1, *blocks), blocks, strict=False):
            assert before.setdefault(block, parent) == parent  # an id names a whole prefix


@settings(max_examples=10)
@given(st.integers(0, 1000), st.integers(1, 3000), st.integers(1, 3000))
def test_fewer_rows_are_the_beginning_of_more(seed, some, others):
    few, many = sorted((some, others))
    short, long = generate(MOONCAKE, few, seed), generate(MOONCAKE, many, seed)
    assert (short.arrival == long.arrival[:few]).all()
    assert (short.input_tokens == long.input_tokens[:few]).all()
    assert (short.output_tokens == long.output_tokens[:few]).all()
    assert list(short.blocks) == list(long.blocks[:few])


def test_this_holds_over_many_spans():
    short, long = generate(MOONCAKE, 12_000, 4), generate(MOONCAKE, 60_000, 4)
    assert (short.arrival == long.arrival[:12_000]).all()
    assert list(short.blocks) == list(long.blocks[:12_000])


def test_equal_seeds_give_equal_traces_and_others_do_not():
    equal(generate(MOONCAKE, 500, 1, 2), generate(MOONCAKE, 500, 1, 2))
    assert list(generate(MOONCAKE, 500, 1, 2).blocks) != list(generate(MOONCAKE, 500, 1, 3).blocks)
    assert list(generate(MOONCAKE, 500, 1, 2).blocks) != list(generate(MOONCAKE, 500, 2, 2).blocks)


def test_a_long_trace_is_stationary():
    """Quarters of a day after the ramp: counts differ by noise of a cluster process only."""
    data = generate(MOONCAKE, 120_000, 1)
    ends = np.linspace(MOONCAKE.starts.ramp + module.SPAN, data.arrival[-1], 5)
    counts = np.histogram(data.arrival, ends)[0]
    turns = conversations(data, 1).sizes
    noise = np.sqrt(counts.mean() * (turns**2).mean() / turns.mean())  # all turns in one place
    assert np.ptp(counts) < 5 * noise


# ------------------------------------------------------------------------- against the facts


@pytest.fixture(scope="module")
def generated():
    facts = [sharing_facts(generate(MOONCAKE, RECORDED, seed), 1) for seed in range(SEEDS)]
    return {name: np.array([fact[name] for fact in facts]) for name in MOONCAKE.facts}


@pytest.mark.parametrize("name", sorted(set(MOONCAKE.facts) - set(MISFITS)))
def test_a_fact_is_within_the_noise_of_the_synthetic_trace(generated, name):
    values = generated[name]
    error = values.std(ddof=1) * np.sqrt(1 + 1 / SEEDS)
    # Percentiles of whole tokens, blocks and requests have a grain of their own.
    grain = 1.0 if any(mark in name for mark in ("-p1", "-p2", "-p5", "-p7", "-p9")) else 0.0
    assert abs(MOONCAKE.facts[name] - values.mean()) <= LIMIT * error + grain


@pytest.mark.parametrize("name", MISFITS)
def test_a_misfit_is_as_small_as_stated(generated, name):
    assert generated[name].mean() == pytest.approx(MOONCAKE.facts[name], rel=MISFITS[name])


# ---------------------------------------------------------------------------- special parameters


def test_one_row():
    data = generate(MOONCAKE, 1, 1)
    assert data.arrival.tolist() == [0.0]
    assert len(data.blocks[0]) == -(-int(data.input_tokens[0]) // 512)


def test_without_later_turns_arrivals_are_poisson_and_share_the_common_block_only():
    lonely = changed(
        first__go_on=[0.0] * 6, tick=0.0, starts={"before": 2.0, "after": 2.0, "ramp": 1.0}
    )
    data = generate(lonely, 20_000, 1)
    blocks = [block for prompt in data.blocks for block in prompt[1:]]
    assert len(set(blocks)) == len(blocks)
    gaps = np.diff(data.arrival)
    assert gaps.mean() == pytest.approx(0.5, rel=5 / np.sqrt(20_000))
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, rel=5 / np.sqrt(20_000))


def test_nothing_is_shared_without_common_blocks_and_later_turns():
    data = generate(changed(common_blocks=0, first__go_on=[0.0] * 6), 300, 1)
    blocks = [block for prompt in data.blocks for block in prompt]
    assert len(set(blocks)) == len(blocks)


def test_repeats_only():
    again = changed(
        first__kinds=[[0.0, 1.0]] * 6,
        first__go_on=[0.5] * 6,
        later__kinds=[[0.0, 1.0]] * 3,
        later__go_on=[0.5],
    )
    data = generate(again, 30_000, 1)
    talks = conversations(data, 1)
    by_talk: dict[int, set[tuple[int, ...]]] = {}
    for blocks in data.blocks:
        by_talk.setdefault(blocks[1], set()).add(blocks)
    assert {len(prompts) for prompts in by_talk.values()} == {1}
    assert (talks.growth == 0).all()


def test_extensions_only_share_all_whole_blocks():
    grow = changed(
        first__kinds=[[0.0, 0.0]] * 6,
        later__kinds=[[0.0, 0.0]] * 3,
        later__added_first={"levels": [0, 1], "values": [7, 7]},
        later__added={"levels": [0, 1], "values": [9, 9]},
    )
    data = generate(grow, 4000, 1)
    last: dict[int, int] = {}
    extensions = 0
    for row, blocks in enumerate(data.blocks):
        if (before := last.get(blocks[1])) is not None:
            added = data.input_tokens[row] - data.input_tokens[before] - data.output_tokens[before]
            assert added in (7, 9)
            whole = int(data.input_tokens[before]) // 512
            assert blocks[:whole] == data.blocks[before][:whole]
            assert set(blocks[whole:]).isdisjoint(data.blocks[before])
            extensions += 1
        last[blocks[1]] = row
    assert extensions > 1000


def test_turns_have_their_number_and_persistence_makes_answers_alike():
    """With one probability q of going on, conversations have 1 / (1 - q) turns on average."""
    steady = changed(
        first__go_on=[0.5] * 6,
        later__go_on=[0.5],
        later__pause={"levels": [0, 1], "values": [1, 2]},
        later__kinds=[[0.0, 1.0]] * 3,
        first__kinds=[[0.0, 1.0]] * 6,
        first__output=MOONCAKE.later.output.model_dump(),
        persistence__output=1.0,
        first__correlation=0.0,
    )
    data = generate(steady, 20_000, 1)
    sizes = conversations(data, 1).sizes
    error = 5 * sizes.std() / np.sqrt(len(sizes))
    assert sizes.mean() == pytest.approx(2.0, abs=error)
    answers: dict[int, set[int]] = {}
    for blocks, answer in zip(data.blocks, data.output_tokens.tolist(), strict=True):
        answers.setdefault(blocks[1], set()).add(answer)
    assert {len(found) for found in answers.values()} == {1}


def test_first_prompts_follow_their_table():
    plain = changed(first__input={"levels": [0, 0.5, 1], "values": [1000, 2000, 9000]})
    plain = plain.model_copy(update={"first": plain.first.model_copy(update={"go_on": [0.0] * 6})})
    inputs = generate(plain, 20_000, 1).input_tokens
    below = norm.ppf(0.9999997) * np.sqrt(0.25 / 20_000)  # five standard errors of a share
    assert (inputs <= 2000).mean() == pytest.approx(0.5, abs=below)
    assert (inputs <= 5500).mean() == pytest.approx(0.75, abs=below)


# --------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("rows", [0, -1, MOST_ROWS + 1])
def test_impossible_rows_are_refused(rows):
    with pytest.raises(InputError, match=f"rows: {rows}, allowed are 1 to {MOST_ROWS}"):
        generate(MOONCAKE, rows, 1)


def test_running_out_of_ids_is_refused(monkeypatch):
    monkeypatch.setattr(module, "MOST_IDS", 1000)
    with pytest.raises(InputError, match="rows: too many, their prompts have more than 1000"):
        generate(MOONCAKE, 100, 1)


def test_an_unknown_name_is_refused():
    with pytest.raises(
        InputError, match="unknown synthetic trace 'mooncake-chat'; did you mean 'mooncake-con"
    ):
        load_trace_parameters(SYNTHETIC_TRACES, "mooncake-chat")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"first__go_on": [0.1]}, "'go_on' and 'kinds' need 6 entries"),
        ({"first__limits": [5, 4, 3, 2, 1]}, "'limits' must rise"),
        ({"first__kinds": [[0.6, 0.6]] * 6}, "branch and repeat together must not exceed 1"),
        ({"later__go_on": [0.5, 1.0]}, "the last entry of 'go_on' must be below 1"),
        ({"later__pause": {"levels": [0, 1], "values": [-1, 2]}}, "must not be negative"),
        ({"later__pause": {"levels": [0, 1], "values": [2, 1]}}, "'values' must not fall"),
        ({"later__pause": {"levels": [0, 0.5], "values": [1, 2]}}, "must go from 0 to 1"),
        ({"later__pause": {"levels": [0, 0, 1], "values": [1, 2, 3]}}, "'levels' must rise"),
        ({"later__pause": {"levels": [0, 1], "values": [1, 2, 3]}}, "2 levels, but 3 values"),
        ({"common_blocks": 2}, "prompts must exceed the 1024 common tokens"),
        ({"starts__before": 0.0}, "starts.before"),
        ({"later__pause_score__prompt": 0.99}, "must sum to less than 1"),
        ({"later__pauze": 1}, "unknown key 'later.pauze'; did you mean 'pause'"),
    ],
)
def test_faulty_parameters_are_refused(values, message):
    with pytest.raises(InputError) as fault:
        changed(**values)
    assert message in str(fault.value)


def test_a_file_that_is_no_mapping_is_refused(tmp_path):
    (tmp_path / "x.json").write_text(json.dumps([1]))
    with pytest.raises(InputError, match="expected keys with values, not list"):
        load_trace_parameters(tmp_path, "x")


# ------------------------------------------------------------------------------ block table


@given(st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=4), max_size=8))
def test_a_block_table_is_a_list_of_tuples(rows):
    counts = np.array([len(row) for row in rows], dtype=np.int64)
    starts = np.cumsum(counts) - counts
    ids = np.array([block for row in rows for block in row], dtype=np.int32)
    table = BlockTable(ids, starts, counts)
    plain = [tuple(row) for row in rows]
    assert len(table) == len(plain)
    assert list(table) == plain
    assert [table[i] for i in range(len(plain))] == plain
    assert list(table[1:-1]) == plain[1:-1]
    assert list(table[::-2]) == plain[::-2]
    assert all(type(block) is int for row in table for block in row)
    with pytest.raises(IndexError):
        table[len(plain)]
