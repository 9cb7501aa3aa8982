"""Where the row of a request lies."""

from anarchy.serving.compiled.core.compile import small
from anarchy.serving.compiled.core.records import ROW, ROW_MASK, ROW_TIMES, ROWS, TIMES, Ints


@small
def row_of(ints: Ints, request: int) -> int:
    """The address of a request's integers."""
    return ints[ROWS] + (request & ints[ROW_MASK]) * ROW


@small
def times_of(ints: Ints, request: int) -> int:
    """The address of its times."""
    return ints[ROW_TIMES] + (request & ints[ROW_MASK]) * TIMES
