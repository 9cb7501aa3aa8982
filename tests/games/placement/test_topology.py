"""Distance matrices: known ones, properties of each shape, and what is refused."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.games.placement import topology
from anarchy.games.placement.topology import Distances


def test_topologies() -> None:
    assert topology.complete(2) == ((0, 1), (1, 0))
    assert topology.star(3) == ((0, 1, 1), (1, 0, 2), (1, 2, 0))
    assert topology.line(3)[0] == (0, 1, 2)
    assert topology.grid(2, 3)[0] == (0, 1, 2, 1, 2, 3)
    assert topology.clusters(2, 2, 1, "7/2")[0] == (0, 1, Fraction(7, 2), Fraction(7, 2))


sizes = st.integers(1, 4)


@given(
    st.one_of(
        st.builds(topology.complete, sizes),
        st.builds(topology.star, sizes),
        st.builds(topology.line, sizes),
        st.builds(topology.grid, sizes, sizes),
        st.builds(topology.clusters, sizes, sizes, st.just(2), st.integers(2, 5)),
    )
)
def test_shapes_are_metrics(matrix: Distances) -> None:
    nodes = range(len(matrix))
    for i in nodes:
        assert matrix[i][i] == 0
        for j in nodes:
            assert matrix[i][j] == matrix[j][i]
            assert (matrix[i][j] > 0) == (i != j)
            assert all(matrix[i][j] <= matrix[i][k] + matrix[k][j] for k in nodes)


@given(st.integers(1, 6))
def test_shapes_of_one_row_are_lines(nodes: int) -> None:
    assert topology.grid(1, nodes) == topology.grid(nodes, 1) == topology.line(nodes)
    assert topology.clusters(1, nodes, 1, 9) == topology.complete(nodes)


def test_directed_distances_are_kept_as_given() -> None:
    assert topology.distance([[0, "1/2"], [9, 0]]) == ((0, Fraction(1, 2)), (9, 0))


@pytest.mark.parametrize("matrix", [[], [[0, 1]], [[0, 1], [1]], [[0, -1], [1, 0]]])
def test_bad_distances_are_refused(matrix: list[list[int]]) -> None:
    with pytest.raises(InputError, match="distance"):
        topology.distance(matrix)


@pytest.mark.parametrize("count", [0, -1, True, 2.0])
def test_topology_of_no_whole_number_of_nodes_is_refused(count: object) -> None:
    with pytest.raises(InputError, match="complete: must be a whole number"):
        topology.complete(count)
    with pytest.raises(InputError, match="grid: must be a whole number"):
        topology.grid(2, count)


def test_negative_lengths_between_islands_are_refused() -> None:
    with pytest.raises(InputError, match=r"clusters\.inter: must be at least 0"):
        topology.clusters(2, 2, 0, -1)
