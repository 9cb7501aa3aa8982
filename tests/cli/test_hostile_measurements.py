"""Logs, metrics and verdicts that nobody would write: an answer, or one line and code 2."""

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.cli.main import main
from tests import sandbox
from tests.cli.test_hostile_configuration import changed
from tests.cli.test_hostile_input import TEXT, broken
from tests.cli.test_hostile_input import changed as changed_value
from tests.control.canned import Canned, canned_server
from tests.control.test_prometheus import api, page
from tests.sandbox import assert_answered, assert_one_line

pytestmark = pytest.mark.hostile

COLUMNS = {
    "arrival": [0.0, 0.25, 0.5, 0.75],
    "routed": [1.0, 1.5, 2.0, 2.5],
    "first_token": [1.0, 1.5, 2.0, 2.5],
    "done": [3.0, 1.75, 4.0, 5.0],
    "decode_worker": [0, 1, 0, 1],
    "output_tokens": [10, 10, 10, 10],
}
CSV = [",".join(COLUMNS), *(",".join(map(str, row)) for row in zip(*COLUMNS.values(), strict=True))]
ESTIMATORS = ["balanced", "window=2", "entry=router-cost", "matching=unconstrained,window=1"]
CONTROLLER = """\
interval: 0.01
window: 10
smoothing: 0.5
polls: 1
cooldown: 0
thresholds:
  unit: seconds
  transition: 1
  saturated: 10
"""
VERDICT = {"id": "C01", "text": "it grows", "published": "yes", "mark": "A", "where": "sec:a"}
VERDICT |= {"value": 1.5, "lo": 1.0, "hi": 2.0, "unit": "1", "verdict": "reproduced"}
VERDICT |= {"mechanism": None}
TEST = {"id": "C01", "part": "tests", "text": "?", "rule": "ratio", "rows": "a.json", "group": ""}
TEST |= {"value": 1.5, "lo": 1.0, "hi": 2.0, "unit": "1", "n": 3, "holds": True}
TEST |= {"at_least": 1.0, "at_most": None}


@pytest.fixture(scope="module")
def project(small_project: Path) -> Path:
    """The small project, with a log that can be measured."""
    (small_project / "log.csv").write_text("\n".join(CSV), encoding="utf-8")
    assert main(["measure", str(small_project / "log.csv"), "--scenario", "small"]) == 0
    return small_project


@pytest.fixture(scope="module")
def server() -> Iterator[Canned]:
    with pytest.MonkeyPatch.context() as patch, canned_server() as canned:
        patch.setenv("no_proxy", "127.0.0.1")
        yield canned


@st.composite
def columns(draw: st.DrawFn) -> dict[str, list[object]]:
    """The columns of a log, one of them with values of any kind, or another one beside them."""
    found: dict[str, list[object]] = {name: [*values] for name, values in COLUMNS.items()}
    others = ["decode_active_0", "decode_cost", "prompt", "tenant", "cached_by_tier", "x"]
    name = draw(st.sampled_from([*found, *others]))
    scalars = st.floats() | st.integers(-(2**63), 2**63 - 1) | st.none() | st.text(max_size=4)
    kind = draw(st.sampled_from(["one", "column", "remove", "lists"]))
    if kind == "one" and name in found:
        like = st.floats() if isinstance(found[name][0], float) else st.integers(-(2**63), 2**63)
        found[name][draw(st.integers(0, 3))] = draw(like | st.none())
    elif kind == "remove":
        found.pop(name, None)
    elif kind == "lists":
        found[name] = [draw(st.lists(st.floats(), max_size=3)) for _ in range(4)]
    else:
        found[name] = draw(st.lists(scalars, min_size=4, max_size=4))
    return found


@given(data=st.data())
@sandbox.inputs(1)
def test_any_log_is_measured_or_refused(project: Path, data: st.DataObject) -> None:
    suffix = data.draw(st.sampled_from([".csv", ".parquet", ".broken.parquet", ".cells.csv"]))
    log = project / f"log{suffix}"
    if suffix == ".csv":
        log.write_bytes(data.draw(broken(CSV)))
    elif suffix == ".cells.csv":
        log.write_bytes(data.draw(cells()))
    else:
        write_columns(log, data.draw(columns()))
    if suffix == ".broken.parquet":
        whole = log.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        new = data.draw(st.binary(min_size=1, max_size=8))
        log.write_bytes(whole[:at] + new + whole[at + data.draw(st.integers(0, 16)) :])
    options = ["--json"] * data.draw(st.booleans())
    if data.draw(st.booleans()):
        options += ["--scenario", "small", "--bracket", "--replays", "1"]
    options += ["--estimator", data.draw(st.sampled_from(ESTIMATORS) | TEXT)]
    assert_answered(sandbox.command("measure", str(log), *options, folder=project))


@st.composite
def cells(draw: st.DrawFn) -> bytes:
    """A log as text, with a strange cell."""
    rows = [line.split(",") for line in CSV]
    strange = ["1e308", "-1e308", "1e-320", "nan", "inf", "9" * 30, "", "x", '"', "0x1", "\0"]
    row, column = draw(st.integers(0, len(rows) - 1)), draw(st.integers(0, len(COLUMNS) - 1))
    rows[row][column] = draw(st.sampled_from(strange) | TEXT)
    return "\n".join(map(",".join, rows)).encode("utf-8", "surrogatepass")


def write_columns(path: Path, data: dict[str, list[object]]) -> None:
    """As Parquet; what has no type becomes text."""
    arrays = {}
    for name, values in data.items():
        try:
            arrays[name] = pa.array(values)
        except (pa.ArrowException, OverflowError):
            arrays[name] = pa.array(map(str, values))
    pq.write_table(pa.table(arrays), path)


@given(data=st.data())
@sandbox.inputs(1)
def test_any_metrics_are_read_or_not_decided_upon(
    project: Path, server: Canned, data: st.DataObject
) -> None:
    (project / "controller.yaml").write_text(CONTROLLER, encoding="utf-8")
    kind = data.draw(st.sampled_from(["page", "api"]))
    good = page() if kind == "page" else api({0.1: 3, 1.0: 8})
    bodies = [good, data.draw(metrics(good))]
    server.bodies = [body.encode("utf-8", "replace").decode() for body in bodies]
    server.body = server.bodies[-1]
    server.status = data.draw(st.sampled_from([200] * 8 + [204, 404, 500]))
    server.date = data.draw(st.sampled_from([None, None, 0.0, 1e9, 2.5e11]))
    options = ["--prometheus", server.url + ("/metrics" if kind == "page" else "")]
    options += ["--config", str(project / "controller.yaml"), "--polls", "3"]
    options += ["--json"] * data.draw(st.booleans())
    options += ["--override", str(project / "router.json")]
    outcome = sandbox.command("control", *options, folder=project)
    if outcome.code not in (0, 1):
        assert_one_line(outcome)  # polls before are on the terminal already


@st.composite
def metrics(draw: st.DrawFn, good: str) -> str:
    """What a server answers, with something put in or cut out, a number or a value changed."""
    if good.startswith("{") and draw(st.booleans()):
        return json.dumps(draw(changed_value(json.loads(good))))
    if draw(st.booleans()):
        words = good.split(" ")
        at = draw(st.integers(0, len(words) - 1))
        numbers = ["NaN", "+Inf", "-1", "1e308", "1e400", "9" * 400, "-0", "0x1", "1_0", ""]
        words[at] = draw(st.sampled_from(numbers) | TEXT)
        return " ".join(words)
    return draw(broken(good.split("\n"))).decode("utf-8", "replace")


@given(text=changed(CONTROLLER))
@sandbox.inputs(0.5)
def test_any_controller_is_read_or_refused(project: Path, server: Canned, text: str) -> None:
    file = project / "controller.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    server.body, server.status, server.date = page(), 200, None
    options = ["--prometheus", f"{server.url}/metrics", "--config", str(file), "--polls", "1"]
    assert_answered(sandbox.command("control", *options, folder=project), fine=(0, 1))


@given(data=st.data())
@sandbox.inputs(0.5)
def test_any_verdicts_are_shown_or_refused(project: Path, data: st.DataObject) -> None:
    results = project / "results"
    results.mkdir(exist_ok=True)
    rows = data.draw(changed_value([VERDICT]) | st.just([VERDICT]))
    tests = data.draw(changed_value([TEST]))
    for name, value in (("claims", rows), ("claims.evidence", tests)):
        text = json.dumps(value).encode("utf-8", "surrogatepass")
        (results / f"{name}.json").write_bytes(text)
    options = ["--why", "C01"] * data.draw(st.booleans()) + ["--json"] * data.draw(st.booleans())
    assert_answered(sandbox.command("claims", *options, folder=project))
