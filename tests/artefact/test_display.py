"""Numbers as printed: units, digits, infinities."""

import math

import pytest

from anarchy.artefact.display import Scale, number, scale_for, with_interval


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
