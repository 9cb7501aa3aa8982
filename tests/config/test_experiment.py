"""The points of experiments and studies."""

import itertools

from anarchy.config.experiment import combinations, pairs

AXES = {"a": [1, 2, 3], "b": ["x", "y"], "c": [True, False], "d": [0.5]}


def test_any_two_values_of_two_axes_occur_together_and_fewer_than_all_do() -> None:
    found = list(pairs(AXES))
    for one, other in itertools.combinations(AXES, 2):
        for values in combinations({one: AXES[one], other: AXES[other]}):
            assert any(values.items() <= point.items() for point in found), values
    many = {axis: list(range(5)) for axis in "abcdef"}
    assert len(list(pairs(many))) < len(combinations(many)) / 10


def test_every_value_of_a_single_axis_occurs() -> None:
    assert {point["a"] for point in pairs({"a": [1, 2, 3]})} == {1, 2, 3}
