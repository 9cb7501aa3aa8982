"""The benchmarks run and write rows; how long anything takes is not for tests to judge."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks import __main__ as command
from benchmarks import (
    child,
    compilation,
    event_loops,
    memory,
    mooncake,
    page,
    parts,
    scaling,
    tables,
)
from benchmarks.measuring import QUICK, Spent, in_child, in_turns, peak_memory, ratio, row
from benchmarks.subjects import closed_loop, trace_file

from anarchy.common.errors import InputError
from anarchy.common.files import Row, read_rows, write_rows
from anarchy.serving.compiled.core import coverage

TINY = replace(
    QUICK,
    repeats=2,
    requests=300,
    reference_requests=100,
    events=500,
    trace_rows=60,
    most_requests=1000,
    most_workers=4,
    most_clients=2,
    swept_requests=100,
    compilations=0,
)

FIELDS = ["id", "value", "unit", "lo", "hi", "n", "clock", "what"]


def quiet(_: str) -> None:
    """Hears nothing."""


def in_process(task: str, **arguments: Any) -> tuple[dict[str, Any], Spent]:
    """What a child would report, without the seconds that starting one takes."""
    report = child.TASKS[task](**arguments)
    return {**report, "peak": peak_memory(), "process_cpu": time.process_time()}, Spent(0, 0)


def test_a_child_reports_what_it_does_and_takes() -> None:
    report, spent = in_child("imports")
    here, _ = in_process("imports")
    assert report.keys() == here.keys()
    assert report["module"] == here["module"]
    assert 0 < report["process_cpu"] < here["process_cpu"], "a process of its own"
    assert spent.cpu == report["process_cpu"]


@pytest.mark.parametrize("name", [name for name in command.GROUPS if name != "games"])
def test_every_group_returns_rows_of_its_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (compilation, memory, scaling):
        monkeypatch.setattr(module, "in_child", in_process)
    try:
        rows = command.GROUPS[name](TINY, quiet)
    except InputError as fault:
        pytest.skip(str(fault))
    ids = [one["id"] for one in rows]
    assert len(ids) == len(set(ids)) > 0
    for one in rows:
        assert list(one) == FIELDS
        assert command.in_group(one["id"], name)
        assert one["lo"] <= one["value"] <= one["hi"]
        assert tables.readable(one["value"], one["unit"])


def test_a_row_is_the_median_and_the_range() -> None:
    found = row("a.b", [3.0, 1.0, 2.0], "s", "cpu", "text")
    assert (found["value"], found["lo"], found["hi"], found["n"]) == (2.0, 1.0, 3.0, 3)
    assert ratio("a.c", [4.0, 9.0], [2.0, 3.0], "cpu", "text")["value"] == 2.5


def test_subjects_take_turns() -> None:
    order: list[str] = []
    subjects = {name: (lambda name=name: order.append(name)) for name in "ab"}
    in_turns(subjects, 2, quiet)
    assert order == ["a", "b", "a", "b"]


def test_a_partial_run_keeps_the_rows_of_others(tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    write_rows(out, [row(id, [1.0], "s", "cpu", "") for id in ("scaling.requests.9", "events.x")])
    new = [row("events.y", [2.0], "s", "cpu", "")]
    command.keep(out, "events", new)
    assert [one["id"] for one in read_rows(out)] == ["scaling.requests.9", "events.y"]


def test_prefixes_choose_groups() -> None:
    assert command.chosen("") == list(command.GROUPS)
    assert command.chosen("scaling") == [name for name in command.GROUPS if "scaling" in name]
    assert command.chosen("scaling.requests.1000") == ["scaling.requests"]


@pytest.mark.parametrize("arguments", [["--only", "speling"], ["--repeats", "0"]])
def test_bad_usage_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_parts_of_a_run_add_up() -> None:
    """What is called within a part is not counted twice, so nothing is left negative."""
    subject = closed_loop(parts.LOOP, 20_000)
    subject.compiled().run()  # compiles
    seconds, requests, events = parts._watched(subject)
    assert min(seconds.values()) >= 0
    assert seconds["kernel"] > sum(seconds.values()) / 10  # else it is not the loop that is timed
    assert events > requests >= 20_000


def test_streams_bring_every_row() -> None:
    subject = closed_loop("70b-1p2d", 500)
    assert subject.stream() == len(subject.run("reference").log)


def test_bare_loops_count_what_they_do() -> None:
    for loop in (event_loops.simpy_loop, event_loops.python_loop, event_loops.compiled_loop):
        assert loop(200) > 0


def test_memory_is_that_of_a_process() -> None:
    before = peak_memory()
    block = bytearray(50 << 20)
    assert peak_memory() >= before
    assert peak_memory() > len(block)


def side(ttft: float, reuse: float) -> mooncake.Side:
    return mooncake.Side(1.0, mooncake.Spent(1.0, 1.0), ttft, reuse, None)


def test_unequal_results_void_a_comparison() -> None:
    mine = [side(0.2 + k / 1000, 0.3) for k in range(5)]
    theirs = [side(0.201 + k / 1000, 0.3) for k in range(5)]

    def holds(other: list[mooncake.Side]) -> float:
        rows = mooncake._verdict("mooncake.", "kv", mine, other, TINY)
        return {one["id"]: one["value"] for one in rows}["mooncake.comparison_holds"]

    assert holds(theirs) == 1.0
    assert holds([side(0.3, 0.3) for _ in range(5)]) == 0.0
    assert mooncake._verdict("mooncake.", "kv", mine[:4], theirs[:4], TINY) == []


def test_a_part_of_the_trace_is_its_beginning() -> None:
    try:
        whole = trace_file("mooncake-conversation").read_text(encoding="utf-8")
    except InputError as fault:
        pytest.skip(str(fault))
    with mooncake.trace_of(7) as path:
        assert path.read_text(encoding="utf-8").splitlines() == whole.splitlines()[:7]


def test_costs_are_relative_to_the_first_size() -> None:
    rows: list[Row] = scaling._costs("requests", "requests", {10: [2.0, 2.0], 20: [3.0, 5.0]})
    values = {one["id"]: one["value"] for one in rows}
    assert values["scaling.requests.10.relative"] == 1.0
    assert values["scaling.requests.20.relative"] == 2.0


def test_the_page_has_its_table_between_its_marks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert text.count(page.BEGIN) == text.count(page.END) == 1
    copy, rows = tmp_path / "page.md", tmp_path / "rows.json"
    copy.write_text(text, encoding="utf-8")
    monkeypatch.setattr(page, "PAGE", copy)
    write_rows(rows, [{**row("events.x", [5e6], "1/s", "cpu", "a loop"), "date": "2001-02-03"}])
    page.write_page(rows)
    written = copy.read_text(encoding="utf-8")
    assert "| `events.x` | a loop | 5,000,000/s |" in written
    assert written.split(page.BEGIN)[0] == text.split(page.BEGIN)[0]
    assert written.split(page.END)[1] == text.split(page.END)[1]


def test_the_page_names_everything_that_runs_on_the_reference() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert [field for field, _ in coverage._LACKING if f"`{field}`" not in text] == []
