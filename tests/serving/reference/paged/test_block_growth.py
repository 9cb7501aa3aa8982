"""The blocks that many steps take against those of each sequence, step by step."""

from hypothesis import given
from hypothesis import strategies as st

from anarchy.serving.reference.paged.block_growth import BlockGrowth

SEQUENCES = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 10)), min_size=1, max_size=8)


def taken(sequences: list[tuple[int, int]], size: int, step: int) -> int:
    """Sequences whose token of this step is the first one of a block."""
    return sum((known + step - joined - 1) % size == 0 for known, joined in sequences)


@given(
    sequences=SEQUENCES,
    gone=SEQUENCES,
    size=st.integers(1, 7),
    step=st.integers(10, 30),
    steps=st.integers(1, 40),
    room=st.integers(0, 60),
)
def test_growth_is_that_of_every_sequence(
    sequences: list[tuple[int, int]],
    gone: list[tuple[int, int]],
    size: int,
    step: int,
    steps: int,
    room: int,
) -> None:
    growth = BlockGrowth(size)
    for known, joined in [*sequences, *gone]:
        growth.add(known, joined)
    for known, joined in gone:
        growth.remove(known, joined)
    assert growth.at(step) == taken(sequences, size, step)
    later = [taken(sequences, size, step + k) for k in range(1, steps)]
    assert growth.after(step, steps) == sum(later)
    fit = max(count for count in range(1, steps + 1) if sum(later[: count - 1]) <= room)
    assert growth.most_steps(step, steps, room) == fit
    growth.clear()
    assert growth.after(step, steps) == 0
