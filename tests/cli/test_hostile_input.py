"""Traces and tables of service times that nobody would write: an answer, or one line and code 2."""

import contextlib
import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.cli.main import main
from anarchy.common import paths
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.table_files import load_table
from anarchy.workload.traces import load_trace
from tests import sandbox
from tests.sandbox import assert_answered

pytestmark = pytest.mark.hostile

ROWS = [
    {"timestamp": 10 * k, "input_length": 600, "output_length": 2, "hash_ids": [1, k]}
    for k in range(3)
]
AZURE = ["TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:46.6805900,374,44"] * 2
SIMULATE = ("simulate", "oracle-3p5d", "--engine", "reference")
TABLE = "fixed-100ms-8ms.json"

NUMBERS = [0, -1, 0.5, 1e308, -1e308, 1e-320, float("nan"), float("inf"), 2**31, 2**63, 2**64]
STRANGE = st.sampled_from(
    [*NUMBERS, 10**400, None, True, "", "7", "\x1b[2J", "\ud800", "x" * 100_000, [], {}, [[]], [1]]
)
TEXT = st.text(max_size=30) | st.sampled_from(["\ufeff", "\0", "\r", "{" * 2000, "[" * 2000, '"'])
CELL = TEXT | st.sampled_from(["0", "-1", "1e3", "9" * 5000, "0001-01-01 00:00:00+14:00"])
GOOD = (paths.ROOT / paths.LATENCY / TABLE).read_text(encoding="utf-8")


@st.composite
def changed(draw: st.DrawFn, good: Any) -> Any:
    """A value of JSON with a part of it replaced, removed or put in."""
    value = copy.deepcopy(good)
    node = value
    while True:
        places = list(node if isinstance(node, dict) else range(len(node)))
        place = draw(st.sampled_from(places))
        if not (isinstance(node[place], dict | list) and node[place] and draw(st.booleans())):
            break
        node = node[place]
    change = draw(st.sampled_from(["replace", "remove", "add"]))
    if change == "replace":
        node[place] = draw(STRANGE)
    elif change == "remove":
        del node[place]
    elif isinstance(node, dict):
        node[draw(TEXT)] = draw(STRANGE)
    else:
        node.insert(place, draw(STRANGE))
    return value


@st.composite
def broken(draw: st.DrawFn, lines: list[str]) -> bytes:
    """Lines with something put in or cut out anywhere."""
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    first, last = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    new = draw(st.binary(max_size=8) | TEXT.map(lambda t: t.encode("utf-8", "surrogatepass")))
    return text[:first] + new + text[first if draw(st.booleans()) else last :]


@st.composite
def traces(draw: st.DrawFn) -> tuple[str, bytes]:
    """A trace's suffix and content."""
    rows = draw(changed(ROWS))
    cells = [line.split(",") for line in AZURE]
    row, column = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    cells[row][column] = draw(CELL)
    jsonl = [json.dumps(row) for row in rows]
    csv = [",".join(row) for row in [*cells[:2], *cells[3:]]]
    suffix, lines = draw(st.sampled_from([(".jsonl", jsonl), (".csv", csv), (".log", jsonl)]))
    whole = "\n".join(lines).encode("utf-8", "surrogatepass")
    return suffix, draw(st.just(whole) | broken(lines))


def simulated(folder: Path, *arguments: str) -> None:
    """The run of a scenario ends with figures, or in one line."""
    outcome = sandbox.command(*SIMULATE, "--json", *arguments, folder=folder)
    assert_answered(outcome)
    if outcome.code == 0:
        assert json.loads(outcome.out)["requests"] > 0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the configuration and a trace, to be in."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(paths.ROOT / paths.CONFIG, folder / paths.CONFIG)
    (folder / "good.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    with contextlib.chdir(folder):
        assert (
            main(["simulate", "oracle-3p5d", "--engine", "reference", "--trace", "good.jsonl"]) == 0
        )
        yield folder


@given(trace=traces())
@sandbox.inputs(3)
def test_traces_are_read_or_refused(project: Path, trace: tuple[str, bytes]) -> None:
    path = project / f"trace{trace[0]}"
    path.write_bytes(trace[1])

    def read() -> int:
        data = load_trace(path)
        assert data.arrival[0] == 0
        assert np.isfinite(data.arrival).all()
        assert (np.diff(data.arrival) >= 0).all()
        for tokens in (data.input_tokens, data.output_tokens):
            assert (tokens >= 1).all()
        assert all(-(2**63) <= block < 2**63 for blocks in data.blocks for block in blocks)
        return 0

    assert_answered(sandbox.run(read, project))


@given(trace=traces())
@sandbox.inputs(0.15)
def test_traces(project: Path, trace: tuple[str, bytes]) -> None:
    path = project / f"trace{trace[0]}"
    path.write_bytes(trace[1])
    simulated(project, "--trace", str(path))


TABLES = changed(json.loads(GOOD)).map(json.dumps).map(str.encode) | broken(GOOD.splitlines())


@given(content=TABLES)
@sandbox.inputs(0.8)
def test_service_times_are_read_or_refused(project: Path, content: bytes) -> None:
    (project / "table.json").write_bytes(content)

    def read() -> int:
        latency = Latency(load_table(project, "table"))
        for large in (0, 1, 10**4, 10**8):
            for seconds in (latency.prefill(large), latency.itl(large // 10**4, large)):
                assert 0 < seconds < float("inf")
        return 0

    assert_answered(sandbox.run(read, project))


@given(content=TABLES)
@sandbox.inputs(0.15)
def test_service_times(project: Path, content: bytes) -> None:
    path = project / paths.LATENCY / TABLE
    path.write_bytes(content)
    try:
        simulated(project, "--trace", "good.jsonl")
    finally:
        path.write_text(GOOD)
