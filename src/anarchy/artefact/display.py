"""Quantities as people read them: units, digits by the size of the interval, infinities.

Everything here is plain Unicode text, shared by figures (drawn as it is) and tables (escaped, with
a power of ten set as one).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MISSING = "–"
FINEST = 5
"""Significant digits that are never exceeded for the sake of a narrow interval."""
_DECIMALS = 12
"""Decimals beyond which two values count as equal: results keep twelve digits."""


@dataclass(frozen=True)
class Scale:
    """Multiply a stored value by `factor` to print it in `unit` ("" when dimensionless)."""

    factor: float
    unit: str


def scale_for(unit: str | None, values: Iterable[float | None]) -> Scale:
    """How to print values of a stored unit: seconds below one as ms, bytes from 10^9 on as GB.

    "1" and null are dimensionless. One scale serves all values given, so that a column or an axis
    has a single unit.
    """
    if unit in (None, "", "1"):
        return Scale(1.0, "")
    largest = max((abs(v) for v in values if v is not None and math.isfinite(v)), default=0.0)
    if unit == "s" and 0 < largest < 1:
        return Scale(1000.0, "ms")
    if unit in ("bytes", "bytes/s") and largest >= 1e9:
        return Scale(1e-9, unit.replace("bytes", "GB"))
    return Scale(1.0, str(unit))


def labelled(name: str, unit: str) -> str:
    """`name (unit)`, or the name alone when dimensionless."""
    return f"{name} ({unit})" if unit else name


def number(value: float | None, digits: int = 4) -> str:
    """`value` to significant digits: "∞", "–" for a missing one, "1.2×10^-5" for a tiny one.

    Integers and numbers with more digits before the point than asked for lose none of them.
    """
    if value is None:
        return MISSING
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0 or (isinstance(value, int) and abs(value) < 1e15):
        return _grouped(value, 0)
    exponent = _exponent(value)
    if not -4 < exponent < 15:
        return f"{_sign(value)}{abs(value) / 10.0**exponent:.{digits - 1}f}×10^{exponent}".replace(
            "^-", "^−"
        )
    text = _grouped(value, max(0, digits - 1 - exponent))
    return text.rstrip("0").rstrip(".") if "." in text else text


def scaled(value: float | None, factor: float, digits: int = 4) -> str:
    """`value * factor` as `number` prints it."""
    return number(None if value is None else _times(value, factor), digits)


def with_unit(text: str, unit: str) -> str:
    """A printed value with its unit; a missing value has none."""
    return f"{text} {unit}" if unit and text != MISSING else text


def with_interval(
    value: float | None, lo: float | None, hi: float | None, factor: float = 1.0
) -> str:
    """`value ± half-width`, the half-width to two digits and the value to the same decimal place.

    An interval whose sides differ by more than a tenth is given by its ends, `value [lo, hi]`.
    Without an interval it is the value to four digits; with one too narrow to show in the fifth
    digit, the value to five.
    """
    if value is None or lo is None or hi is None or not all(map(math.isfinite, (value, lo, hi))):
        return scaled(value, factor)
    value, lo, hi = value * factor, lo * factor, hi * factor
    half = (hi - lo) / 2
    if half < 0.5 * 10.0 ** (_exponent(value) - FINEST + 1):
        return number(value, FINEST)
    decimals = max(0, 1 - math.floor(math.log10(half)))
    if abs((hi - value) - (value - lo)) > 0.1 * (hi - lo):
        ends = f"[{_grouped(lo, decimals)}, {_grouped(hi, decimals)}]"
        return f"{_grouped(value, decimals)} {ends}"
    return f"{_grouped(value, decimals)} ± {_grouped(half, decimals)}"


def told_apart(lo: float | None, hi: float | None, factor: float = 1.0) -> tuple[str, str]:
    """Two values to the same decimal place, so far down that different ones print differently.

    At least four digits of the larger one, and one decimal beyond the first that differs: there,
    rounding alone would make a whole step of a small difference.
    """
    if lo is None or hi is None or lo == hi or not all(map(math.isfinite, (lo, hi))):
        return scaled(lo, factor), scaled(hi, factor)
    lo, hi = lo * factor, hi * factor
    decimals = next((d for d in range(_DECIMALS) if f"{lo:.{d}f}" != f"{hi:.{d}f}"), _DECIMALS)
    decimals = max(decimals + 1, 3 - _exponent(max(abs(lo), abs(hi))), 0)
    return _grouped(lo, decimals), _grouped(hi, decimals)


def same_decimals(values: Sequence[float], widest: float) -> list[str]:
    """Values of one panel to the same decimal place: what a half-width of `widest` leaves certain.

    That is its second digit, but never more than five digits of the largest value. No half-width
    is 0.
    """
    decimals = FINEST - 1 - _exponent(max(map(abs, values), default=0.0) or 1.0)
    if widest:
        decimals = min(decimals, 1 - _exponent(widest))
    return [_grouped(value, max(0, decimals)) for value in values]


def upper_bound(value: float) -> str:
    """`value` > 0 rounded up to two digits, so that "at most" stays true."""
    decimals = 1 - _exponent(value)
    steps = math.ceil(value * 10.0**decimals * (1 - 1e-12))
    rounded = steps / 10.0**decimals
    return _grouped(rounded, max(0, decimals)) if decimals < 8 else number(rounded, 2)


def _exponent(value: float) -> int:
    """The power of ten of the first significant digit; that of a zero is as low as floats go."""
    return math.floor(math.log10(abs(value))) if value else -308


def _times(value: float, factor: float) -> float:
    """Keeps an integer one where nothing is to be scaled."""
    return value if factor == 1.0 else value * factor


def _sign(value: float) -> str:
    return "−" if value < 0 else ""


def _grouped(value: float, decimals: int) -> str:
    """Fixed decimals; thousands set apart from five digits on; a true minus; no negative zero."""
    text = f"{abs(value):.{decimals}f}"
    if abs(value) >= 10_000:
        text = f"{abs(value):,.{decimals}f}"
    return f"{_sign(value) if float(text.replace(',', '')) else ''}{text}"
