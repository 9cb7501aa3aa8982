"""Configurations and games that nobody would write: an answer, or one line and code 2."""

from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.build_jobs import point_job
from anarchy.build_plan import load_plan
from anarchy.cli.main import main
from anarchy.cli.simulation import parse_change
from anarchy.common import paths
from anarchy.config.scenario import with_fields
from anarchy.config.settings import load_scenario
from anarchy.measure.aggregate import aggregate, compare
from anarchy.measure.experiment_point import measure_point
from anarchy.measure.knee.sweeps import knee_rows
from anarchy.serving.service_times.lookup import load_service_times
from tests import sandbox
from tests.cli.small_project import FILES
from tests.games.normal_form.test_nfg import OUTCOMES, PAYOFFS
from tests.sandbox import assert_answered

pytestmark = pytest.mark.hostile

GAMES = [
    """\
kind: congestion
latency:
  a: {polynomial: [0, 1]}
  b: {table: [1, "5/2"]}
  c: {mm1: 4}
players:
  - count: 2
    strategies:
      - {resources: [a]}
      - {resources: [b], offset: 0.5}
perceived_offset_weight: 4
""",
    """\
kind: caching
topology:
  grid: [2, 2]
placement_cost: 1
demand: [1, 2, 3, 4]
miss_cost: 5
""",
    "kind: parallel-queues\nservice_rates: [4, 1]\ndemand: 5/2\nrouter: selfish\n",
    """\
kind: allocation
budget: 8
integer: true
prefill: {queue: mmc, service_rate: 4, arrival_rate: 4}
decode: {queue: mmc, service_rate: 1, arrival_rate: 4}
""",
    "kind: closed-network\nservice_demands: [0.08, 0.05]\nthink_time: 3.2\nclients: 8\n",
    "kind: dispatchers\ndispatchers: 2\nservice_rates: [2, 1]\noffsets: [0, 3]\ndemand: 0.5\n",
    "kind: bound\nfamily: smoothness\nlatency: [{polynomial: [8, 1]}]\nplayers: 4\n",
    "kind: bound\nfamily: atomic-polynomial\ndegree: 3\n",
]
WORDS = """
yes on 1:30 1_0 0x1F 008 1e-3 1e300 -1 0 5e-324 1e999 .nan .inf true null 1e6 99999999 1/0
2020-99-99 [ { [] {} [[]] [1] {a:} &a *a ? - ! !!bool !!int ` @ % ' " small
"""
LONG = ["9" * 5000, "1:" * 3000 + "1", "x" * 100_000, "[" * 3000, "{a: " * 200]
QUOTED = ['"\\UFFFFFFFF"', '"\\e[2J"', '"\\0"', "!!python/name:os.system x", "&a [*a, *a]"]
MANY = 200
"""Clients of a run that takes longer than there is time for."""

STRANGE = st.sampled_from([*WORDS.split(), *LONG, *QUOTED, "\u202e", "\ud800", "\0", "\t", ""])


@st.composite
def changed(draw: st.DrawFn, good: str) -> str:
    """A text with some of its lines or values removed, repeated or replaced by strange ones."""
    lines = good.splitlines()
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        key, colon, value = line.partition(":")
        strange = draw(STRANGE | st.text(max_size=20))
        lines[at : at + 1] = draw(
            st.sampled_from(
                [
                    [f"{key}{colon} {strange}"],
                    [f"{key}{colon} [{strange}]"],
                    [f"{' ' * (len(key) - len(key.lstrip()))}{strange}:{value}"],
                    [line, line],
                    [line, strange],
                    [line.replace(value.strip(" []{}") or "-", strange)],
                    ["  " + line],
                    [],
                ]
            )
        )
        lines = lines or [""]
    return "\n".join(lines)


@st.composite
def words(draw: st.DrawFn, good: list[str]) -> str:
    """A text with some of its words removed, repeated or replaced by strange ones."""
    found = [*good]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(found) - 1))
        strange = draw(STRANGE | st.text(max_size=20) | st.sampled_from(["}", "{", "1e400", "1/0"]))
        found[at : at + 1] = draw(st.sampled_from([[strange], [], [found[at]] * 2]))
        found = found or [""]
    return " ".join(found)


@pytest.fixture(scope="module")
def project(small_project: Path) -> Path:
    """The small project, in which every game is solved."""
    assert main(["check"]) == 0
    for game in GAMES:
        (small_project / "game.yaml").write_text(game, encoding="utf-8")
        assert main(["solve", str(small_project / "game.yaml")]) == 0
    return small_project


@sandbox.inputs(1.5)
@given(st.data())
def test_any_configuration_is_checked(project: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(sorted(FILES)))
    text = data.draw(changed(FILES[file]))
    (project / file).write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        assert_answered(sandbox.command("check", folder=project))
    finally:
        (project / file).write_text(FILES[file], encoding="utf-8")


@sandbox.inputs(1.5)
@given(st.sampled_from(GAMES).flatmap(changed))
def test_any_game_is_solved_or_refused(project: Path, text: str) -> None:
    file = project / "game.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert_answered(sandbox.command("solve", str(file), folder=project))


@sandbox.inputs(0.5)
@given(st.sampled_from([PAYOFFS, OUTCOMES]).flatmap(lambda text: words(text.split(" "))))
def test_any_normal_form_is_solved_or_refused(project: Path, text: str) -> None:
    file = project / "game.nfg"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    assert_answered(sandbox.command("solve", str(file), folder=project))


@sandbox.inputs(1)
@given(
    st.sampled_from(["workload.clients", "router", "x.y", "", "workload.kind", "description"]),
    STRANGE | st.text(max_size=20),
)
def test_any_change_is_read_or_refused(project: Path, key: str, value: str) -> None:
    change = f"{key}={value}"
    scenario = load_scenario(project / paths.SCENARIOS, "small")

    def read() -> int:
        with_fields(scenario, dict([parse_change(change)]), "--set")
        return 0

    assert_answered(sandbox.run(read, project))


@sandbox.inputs(0.4)
@given(st.data())
def test_what_is_accepted_can_be_simulated(project: Path, data: st.DataObject) -> None:
    """Or a job says in one line why not, as where a backlog only grows."""
    file = data.draw(
        st.sampled_from([paths.SCENARIOS / "small.yaml", paths.EXPERIMENTS / "small.yaml"])
    )
    text = data.draw(changed(FILES[file]))
    (project / file).write_bytes(text.encode("utf-8", "surrogatepass"))

    def simulate() -> int:
        plan = load_plan(root=project)
        rows = []
        for point in plan.points["small"][:4]:
            short = {"requests": 20, "replications": 2, "warmup_cycles": 1.0}
            job = point_job(plan, point).model_copy(update=short)
            if getattr(point.scenario.workload, "clients", 0) > MANY:
                return 0
            rows += measure_point(job, project / paths.LATENCY, None)[0]
        experiment = plan.experiments["small"]
        measures = aggregate(rows, experiment.keys)
        assert measures
        if (wanted := experiment.compare) is not None:
            compare(rows, experiment.keys, wanted.field, wanted.baseline, wanted.measures)
        if experiment.knee is not None:
            tables = partial(load_service_times, project / paths.LATENCY)
            knee_rows(experiment, measures, plan.scenarios, tables)
        return 0

    try:
        assert_answered(sandbox.run(simulate, project))
    finally:
        (project / file).write_text(FILES[file], encoding="utf-8")
