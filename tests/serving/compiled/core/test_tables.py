"""Records and tables: the same fields compiled, uncompiled and by name."""

from typing import NamedTuple

import numpy as np
import pytest

from anarchy.serving.compiled.core.compile import compiled
from anarchy.serving.compiled.core.numba_types import by_reference
from anarchy.serving.compiled.core.records import Request
from anarchy.serving.compiled.core.tables import (
    FloatGrid,
    Grid,
    Int32,
    Record,
    Table,
    dtype_of,
    longer,
    raw,
    record,
    zeros,
)
from anarchy.serving.log.request_log import LoggedRequest, RequestLog


class Queue(Record):
    length: int


class Desk(Record):
    open: bool
    clerks: Int32
    busy: float
    queue: Queue


@by_reference
class Office(NamedTuple):
    boss: Desk
    desks: Table[Desk]
    floors: Grid[Desk]
    seconds: FloatGrid


def work(office: Office, desk: int) -> float:
    """Reads and writes records of every kind."""
    worker = office.desks[desk]
    worker.queue.length += 2
    worker.busy += 0.5
    worker.open = worker.queue.length > 2
    office.floors[1, desk].clerks = 7
    office.boss.busy = worker.busy
    office.seconds[0, 1] += worker.busy
    return worker.busy


work_compiled = compiled(work)


def office() -> Office:
    """Floors are as wide as the desks become: compiled code checks no bounds."""
    return Office(
        record(Desk, busy=3.0), zeros(Desk, 3), zeros(Desk, 2, 6), np.zeros((1, 2), np.float64)
    )


def test_compiled_and_uncompiled_code_do_the_same_to_the_same_memory() -> None:
    ours, theirs = office(), office()
    for _ in range(2):
        assert work(ours, 1) == work_compiled(theirs, 1)
    for place in (ours, theirs):
        assert place.desks["busy"].tolist() == [0.0, 1.0, 0.0]
        assert place.desks[1].queue.length == 4
        assert place.desks["open"].tolist() == [False, True, False]
        assert place.floors["clerks"].tolist() == [[0] * 6, [0, 7, 0, 0, 0, 0]]
        assert place.boss.busy == 1.0
        assert place.seconds[0, 1] == 1.5
    replaced = theirs._replace(desks=longer(theirs.desks))
    assert work_compiled(replaced, 5) == 0.5
    assert len(theirs.desks) == 3


def test_names_of_numpys_own_records_are_refused() -> None:
    class Box(Record):
        size: int

    with pytest.raises(AssertionError, match=r"Box\.size"):
        dtype_of(Box)


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(AttributeError):
        record(Desk, bsuy=1.0)


def test_a_record_takes_fields_of_the_same_name() -> None:
    class Form:
        def __init__(self, **fields: float) -> None:
            self.__dict__.update(fields)

    desk = record(Desk, Form(busy=1.0, clerks=2, colour=3), Form(clerks=4), busy=5.0)
    assert desk.busy == 5.0, "a value of one's own comes first"
    assert desk.clerks == 2, "then that of the first source"
    assert not desk.open


def test_longer_tables_begin_as_they_were() -> None:
    table = zeros(Desk, 3)
    table["busy"] = [1, 2, 3]
    assert longer(table)["busy"].tolist() == [1, 2, 3, 0, 0, 0]
    assert longer(table, 4)["busy"].tolist() == [1, 2, 3, 0]
    copy = raw(table).copy()
    assert copy.tobytes() == table.tobytes()


def test_a_request_has_the_columns_of_the_log() -> None:
    columns = set(LoggedRequest.__annotations__)
    assert columns <= set(dtype_of(Request).names or ())
    others = {"prefill_cost", "decode_cost", "decode_active", "cached_by_tier"}
    assert columns | others == set(RequestLog.__dataclass_fields__)
