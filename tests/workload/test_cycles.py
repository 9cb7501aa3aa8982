"""Throughput over whole cycles, of clients that come in bunches."""

import pytest

from anarchy.workload.cycles import cycle_throughput


@pytest.mark.parametrize("until", [3.05, 3.5, 3.95])
def test_a_broken_cycle_does_not_count(until: float) -> None:
    """Four clients, all done within the first tenth of each second."""
    done = [cycle + bunch / 40 for cycle in range(9) for bunch in range(4)]
    seen = [time for time in done if time <= until]
    assert cycle_throughput(seen, 4) == pytest.approx(4.0)


def test_less_than_a_cycle_says_nothing() -> None:
    with pytest.raises(ValueError, match="4 completions are no cycle of 4 clients"):
        cycle_throughput([0.0, 1.0, 2.0, 3.0], 4)
