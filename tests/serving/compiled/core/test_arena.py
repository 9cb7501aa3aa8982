"""Memory of the kernel's state: it grows, and a later run may have that of an earlier one."""

import numpy as np

from anarchy.serving.compiled.core.arena import ROOM, Arena


def test_what_is_laid_out_is_found_after_growth() -> None:
    arena = Arena()
    first = arena.integers([1, 2, 3])
    arena.floats(np.arange(2 * ROOM))
    arena.blank(3 * ROOM)
    last = arena.integers([7])
    assert arena.ints[first : first + 3].tolist() == [1, 2, 3]
    assert arena.ints[last] == 7


def test_released_memory_comes_back_as_zeros() -> None:
    arena = Arena(more=5 * ROOM)
    arena.ints[:] = -1
    arena.reals[:] = np.nan
    arena.release()
    again = Arena(more=2 * ROOM)
    assert np.shares_memory(again.ints, arena.ints)
    assert len(again.ints) == 3 * ROOM
    assert not again.ints.any()
    assert not again.reals.any()
    other = Arena()
    assert not np.shares_memory(other.ints, again.ints), "memory in use is not given away"


def test_memory_that_is_too_short_is_not_taken() -> None:
    short = Arena()
    short.release()
    assert len(Arena(more=50 * ROOM).ints) == 51 * ROOM
