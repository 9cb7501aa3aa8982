"""Ids that name prefixes, made of ids that need not."""

from hypothesis import given
from hypothesis import strategies as st

from anarchy.workload.prefix_ids import MOST_ID, as_prefixes

IDS = st.integers(0, 4) | st.sampled_from([2**63 - 1, 2**63, MOST_ID - 1, MOST_ID])
PROMPTS = st.lists(st.lists(IDS, max_size=5).map(tuple), max_size=8)


def prefixes(prompts):
    return [prompt[: k + 1] for prompt in prompts for k in range(len(prompt))]


@given(PROMPTS)
def test_equal_names_are_equal_prefixes(prompts):
    named = as_prefixes(prompts)
    assert list(map(len, named)) == list(map(len, prompts))
    pairs = set(zip(prefixes(prompts), (name for names in named for name in names), strict=True))
    assert len(pairs) == len({name for _, name in pairs}) == len(set(prefixes(prompts)))
    assert all(-(2**63) <= name < 2**63 for _, name in pairs)


@given(PROMPTS)
def test_ids_of_prefixes_keep_their_64_bits(prompts):
    numbers = {prefix: MOST_ID - 3 * k for k, prefix in enumerate(prefixes(prompts))}
    chained = [tuple(numbers[p[: k + 1]] for k in range(len(p))) for p in prompts]
    assert [tuple(name % 2**64 for name in names) for names in as_prefixes(chained)] == chained


def test_an_id_keeps_its_value_in_the_first_place_only():
    assert as_prefixes([(1, 2), (2, 1), (1, 2, 1), (2, 1)]) == [(1, 2), (0, 3), (1, 2, 4), (0, 3)]
