"""`anarchy measure`: the index of a log of one's own."""

import json
import re
from pathlib import Path

import pytest

from anarchy.cli.main import main
from anarchy.common import paths

HEAD = "arrival,routed,first_token,done,decode_worker,output_tokens"


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(paths.ROOT)


@pytest.fixture
def log(tmp_path: Path) -> str:
    """Worker 0 takes 1 s and worker 1 takes 3 s; three of four requests go to worker 1."""
    rows = [f"{i},{i},{i},{i + (1 if i % 4 == 0 else 3)},{int(i % 4 > 0)},10" for i in range(80)]
    path = tmp_path / "log.csv"
    path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return str(path)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, float]]:
    assert main(["measure", *arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert ("--bracket" in arguments) == ("schedules: " in captured.err)
    assert captured.err.count("\n") <= 1
    rows: list[dict[str, float]] = json.loads(captured.out)
    return rows


def test_the_log_alone_is_enough(capsys: pytest.CaptureFixture[str], log: str) -> None:
    balanced, rectangular = answer(capsys, log)
    assert balanced["id"] == "balanced"
    # A window of 40 has 30 requests at 3 s and 10 at 1 s; balanced it has 20 of each.
    assert balanced["value"] == (30 * 3 + 10) / (20 * 3 + 20)
    assert balanced["round_robin"] == 1
    assert rectangular["value"] == (30 * 3 + 10) / (3 + 1)
    assert [balanced[key] for key in ("n", "m", "per_worker", "windows")] == [40, 2, 20, 2]


def test_a_scenario_gives_the_service_times(capsys: pytest.CaptureFixture[str], log: str) -> None:
    (row,) = answer(capsys, log, "--scenario", "70b-1p2d", "--estimator", "rectangular")
    assert row["value"] == pytest.approx(20, rel=0.02)


def test_an_estimator_is_put_together_on_the_command_line(
    capsys: pytest.CaptureFixture[str], log: str
) -> None:
    mine = "entry=observed-e2e,window=8,numerator=ttft,matching=unconstrained"
    (row,) = answer(capsys, log, "--estimator", mine)
    assert (row["id"], row["n"], row["value"]) == (mine, 8, 0)
    assert row["random"] is None


def test_the_table_says_the_same(capsys: pytest.CaptureFixture[str], log: str) -> None:
    assert main(["measure", log]) == 0
    text = capsys.readouterr().out
    assert "1.2500" in text
    assert "round robin" in text


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--estimator", "balance"], "unknown estimator 'balance'; did you mean 'balanced'"),
        (["--estimator", "windw=3"], "unknown key 'windw'; did you mean 'window'"),
        (["--estimator", "window=3,entry"], "'entry' is not key=value"),
        (["--estimator", "window=many"], "window: a whole number is wanted"),
        (["--estimator", "entry=queue,freezing=idle"], "freezing 'idle' is undefined"),
        (["--estimator", "entry=decode-latency"], "the deployment's scenario is wanted"),
        (["--estimator", "entry=e2e"], "column 'prefill_start' is missing"),
        (["--scenario", "71b"], "unknown scenario '71b'"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    capsys: pytest.CaptureFixture[str], log: str, arguments: list[str], fault: str
) -> None:
    assert main(["measure", log, *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert fault in captured.err


def test_a_bracket_encloses_what_a_simulated_run_lost(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run = str(tmp_path / "run.parquet")
    assert main(["simulate", "70b-1p2d", "--rows", "200", "--seed", "3", "--out", run]) == 0
    capsys.readouterr()
    asked = (run, "--scenario", "70b-1p2d", "--bracket", "--seed", "3")
    rows = answer(capsys, *asked, "--replays", "20")
    losses = {str(row["id"]): row for row in rows if str(row["id"]).startswith("loss:")}
    assert {"loss:e2e-mean", "loss:ttft-p99", "loss:throughput"} <= set(losses)
    for row in losses.values():
        assert 1 <= row["lo"] <= row["hi"]
    assert losses["loss:ttft-mean"]["lo"] > 1, "a better schedule was found"
    few = {str(row["id"]): row for row in answer(capsys, *asked, "--replays", "0")}
    assert few["loss:e2e-mean"]["lo"] <= losses["loss:e2e-mean"]["lo"]


def test_a_controlled_run_in_phases_has_a_bracket_for_each(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run, mine = str(tmp_path / "run.parquet"), tmp_path / "mine.yaml"
    parts = paths.ROOT / paths.SCENARIOS / "70b-1p2d"
    mine.write_text(
        f"extends: {parts}\ndescription: phases\n"
        "workload: {clients: 60, ramp: 0, phases: [{name: below, duration: 3, clients: 8}, "
        "{duration: 3}]}\ncontroller: {interval: 1, window: 2, polls: 1}\n",
        encoding="utf-8",
    )
    assert main(["simulate", str(mine), "--seed", "3", "--out", run]) == 0
    capsys.readouterr()
    asked = (run, "--scenario", str(mine), "--bracket", "--seed", "3", "--replays", "4")
    rows = [row for row in answer(capsys, *asked) if str(row["id"]).startswith("loss:")]
    assert [row["phase"] for row in rows[::4]] == ["below", "phase 2", None]
    for row in rows:
        assert 1 <= row["lo"] <= row["hi"]
    assert main(["measure", *asked]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"phase 2 +throughput", shown)
    assert re.search(r"all +ttft-p99", shown)


def test_a_bracket_of_recorded_arrivals_replays_the_log(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A copy of the scenario at hand names its trace by a path."""
    trace, run = tmp_path / "trace.jsonl", str(tmp_path / "run.parquet")
    rows = [
        {"timestamp": 20 * k, "input_length": 1000, "output_length": 9, "hash_ids": [0, k + 1]}
        for k in range(30)
    ]
    trace.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    text = (paths.ROOT / paths.SCENARIOS / "mooncake-8p8d.yaml").read_text(encoding="utf-8")
    mine = tmp_path / "mine.yaml"
    mine.write_text(text.replace("trace: mooncake-conversation", f"trace: {trace}"), "utf-8")
    assert main(["simulate", str(mine), "--set", "router.policy=random", "--out", run]) == 0
    capsys.readouterr()
    found = answer(capsys, run, "--scenario", str(mine), "--bracket", "--replays", "10")
    losses = {str(row["id"]): row for row in found}
    assert 1 < losses["loss:ttft-mean"]["lo"] <= losses["loss:ttft-mean"]["hi"]
    trace.write_text("\n".join(map(json.dumps, rows[:20])), encoding="utf-8")
    assert main(["measure", run, "--scenario", str(mine), "--bracket"]) == 2
    assert "no rows of the scenario's trace" in capsys.readouterr().err


def test_what_was_not_searched_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = str(tmp_path / "run.parquet")
    set_ = ["--set", "topology.decode=1"]
    assert main(["simulate", "70b-1p2d", "--rows", "50", *set_, "--out", run]) == 0
    text = (paths.ROOT / paths.SCENARIOS / "70b-1p2d.yaml").read_text(encoding="utf-8")
    mine = tmp_path / "mine.yaml"
    mine.write_text(re.sub(r"decode: 2", "decode: 1", text), encoding="utf-8")
    capsys.readouterr()
    assert main(["measure", run, "--scenario", str(mine), "--bracket"]) == 0
    assert "none searched: there is one worker a pool" in capsys.readouterr().err
    assert main(["measure", run, "--scenario", str(mine), "--bracket", "--replays", "-1"]) == 2
    assert "--replays: -1" in capsys.readouterr().err


def test_a_bracket_needs_a_scenario(capsys: pytest.CaptureFixture[str], log: str) -> None:
    assert main(["measure", log, "--bracket"]) == 2
    assert "give --scenario" in capsys.readouterr().err
