"""Numbers as printed: units, digits, infinities."""

import math

import pytest

from anarchy.artefact.display import (
    Scale,
    number,
    same_decimals,
    scale_for,
    told_apart,
    upper_bound,
    with_interval,
)


@pytest.mark.parametrize(
    ("unit", "values", "scale"),
    [
        ("s", [0.05, None, 0.9], Scale(1000.0, "ms")),
        ("s", [0.05, 1.0], Scale(1.0, "s")),
        ("s", [0.0], Scale(1.0, "s")),
        ("s", [], Scale(1.0, "s")),
        ("s", [0.05, math.inf], Scale(1000.0, "ms")),
        ("1", [0.05], Scale(1.0, "")),
        (None, [3.0], Scale(1.0, "")),
        ("1/s", [0.05], Scale(1.0, "1/s")),
        ("bytes/s", [5e10], Scale(1e-9, "GB/s")),
        ("bytes", [5e8], Scale(1.0, "bytes")),
    ],
)
def test_scale(unit: str | None, values: list[float | None], scale: Scale) -> None:
    assert scale_for(unit, values) == scale


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (-0.0, "0"),
        (128, "128"),
        (12031, "12,031"),
        (1.25, "1.25"),
        (0.1, "0.1"),
        (123.456, "123.5"),
        (98765.4, "98,765"),
        (-3.0, "−3"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
        (1.234e-7, "1.234×10^−7"),
        (2.5e20, "2.500×10^20"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "lo", "hi", "text"),
    [
        (1234.567, 1222.2, 1246.9, "1235 ± 12"),
        (0.05123, 0.05083, 0.05163, "0.05123 ± 0.00040"),
        (10.0, 9.0, 13.0, "10.0 [9.0, 13.0]"),
        (7.0, 7.0, 7.0, "7"),
        (1.000529, 1.000498, 1.00056, "1.0005"),
        (1.00352, 1.00337, 1.00367, "1.00352 ± 0.00015"),
        (7.0, None, None, "7"),
        (None, None, None, "–"),
        (math.inf, 1.0, math.inf, "∞"),
        (-0.01, -0.03, 0.01, "−0.010 ± 0.020"),
        (0.0, -1.0, 1.0, "0.0 ± 1.0"),
    ],
)
def test_interval(value: float | None, lo: float | None, hi: float | None, text: str) -> None:
    assert with_interval(value, lo, hi) == text


def test_interval_is_scaled_with_its_value() -> None:
    assert with_interval(0.0512, 0.0508, 0.0516, 1000.0) == "51.20 ± 0.40"


@pytest.mark.parametrize(
    ("lo", "hi", "texts"),
    [
        (1.00033846408, 1.00052860343, ("1.0003", "1.0005")),
        (0.999999975623, 1.00009805293, ("1.00000", "1.00010")),
        (0.999994799049, 1.00042320366, ("0.99999", "1.00042")),
        (8.0191890921, 20.1720359901, ("8.02", "20.17")),
        (12345.0, 12346.0, ("12,345.0", "12,346.0")),
        (1.0, 1.0 + 1e-15, ("1.0000000000000", "1.0000000000000")),
        (7.0, 7.0, ("7", "7")),
        (0.0, -0.5, ("0.0000", "−0.5000")),
        (None, 1.5, ("–", "1.5")),
        (1.0, math.inf, ("1", "∞")),
    ],
)
def test_told_apart(lo: float | None, hi: float | None, texts: tuple[str, str]) -> None:
    assert told_apart(lo, hi) == texts


def test_told_apart_in_the_unit_that_is_printed() -> None:
    assert told_apart(0.0468, 0.0482, 1000.0) == ("46.80", "48.20")


@pytest.mark.parametrize(
    ("values", "widest", "texts"),
    [
        ([1.000098, 1.00352], 0.00016, ["1.0001", "1.0035"]),
        ([46.826, 48.23], 0.7, ["46.83", "48.23"]),
        ([123456.7], 300.0, ["123,457"]),
        ([2.0], 0.0, ["2.0000"]),
        ([0.0], 0.0, ["0.0000"]),
        ([], 0.0, []),
    ],
)
def test_same_decimals(values: list[float], widest: float, texts: list[str]) -> None:
    assert same_decimals(values, widest) == texts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.000151, "0.00016"),
        (0.00015, "0.00015"),
        (0.0996, "0.100"),
        (0.3, "0.30"),
        (12.0, "12"),
        (1234.0, "1300"),
        (2.68e-9, "2.7×10^−9"),
    ],
)
def test_upper_bounds_are_never_too_small(value: float, text: str) -> None:
    assert upper_bound(value) == text
