"""`anarchy simulate`: what it prints, and one line for whatever it cannot use."""

import argparse
import gzip
import json
import math
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from anarchy.cli import simulation
from anarchy.cli.simulate import LABELS, add_simulate
from anarchy.cli.simulation import plan_simulation, run_simulation
from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.serving.log.request_log import read_log

GOOD = {"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]}


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(paths.ROOT)


def simulate(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_simulate(parser.add_subparsers(required=True))
    options = parser.parse_args(["simulate", *map(str, arguments)])
    code: int = options.run(options)
    return code


def trace(path: Path, *rows: dict[str, object]) -> str:
    path.write_text("".join(json.dumps({**GOOD, **row}) + "\n" for row in rows))
    return str(path)


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, float]:
    assert simulate(*arguments, "--json") == 0
    captured = capsys.readouterr()
    told = captured.err.splitlines()
    assert all(line.startswith("engine: ") for line in told), "no progress without a terminal"
    found: dict[str, float] = json.loads(captured.out)
    return found


def test_json_is_one_object_with_all_figures(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "70b-1p2d", "--rows", "300")
    assert set(found) == set(LABELS)
    assert found["requests"] == 300
    assert 0 < found["p50_ttft"] <= found["p99_ttft"] < found["mean_e2e"]


def test_equal_seeds_give_equal_answers(capsys: pytest.CaptureFixture[str]) -> None:
    def figures(seed: int) -> dict[str, float]:
        found = answer(capsys, "70b-1p2d", "--rows", "200", "--seed", str(seed))
        return {key: found[key] for key in found if key != "requests_per_wall_second"}

    assert figures(4) == figures(4) != figures(5)


def test_a_table_names_the_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate("70b-1p2d", "--rows", "100") == 0
    text = capsys.readouterr().out
    assert "1P/2D" in text
    assert "TTFT, mean (s)" in text


def test_a_trace_replaces_the_workload_and_its_log_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"timestamp": 1000 * k} for k in range(3)]
    path, out = trace(tmp_path / "mine.jsonl", *rows), tmp_path / "log.parquet"
    found = answer(capsys, "oracle-3p5d", "--trace", path, "--out", str(out))
    assert found["mean_ttft"] == pytest.approx(0.108)
    assert found["mean_itl"] == pytest.approx(0.008)
    assert read_log(out).input_tokens.tolist() == [600, 600, 600]
    assert answer(capsys, "oracle-3p5d", "--trace", path, "--rows", "2")["requests"] == 2


def test_the_content_tells_the_format_where_the_suffix_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = trace(tmp_path / "mine.txt", {}, {"timestamp": 10})
    assert answer(capsys, "oracle-3p5d", "--trace", mine)["requests"] == 2
    azure = tmp_path / "azure.log"
    azure.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6,100,7\n")
    assert answer(capsys, "oracle-3p5d", "--trace", str(azure))["prefix_reuse"] == 0


ORDERS = [[1, 2, 3], [2, 1, 3], [3, 2, 1], [1, 3, 2]]


@pytest.mark.parametrize("engine", ["compiled", "reference"])
@pytest.mark.parametrize("paged", [True, False])
@pytest.mark.parametrize("first", [0, 2**63 - 1, 2**64 - 4], ids=["small", "middle", "largest"])
def test_blocks_are_reused_after_the_same_blocks_only(
    engine: str, paged: bool, first: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of twelve blocks on one worker only the first of the last prompt follows what it did before.

    Ids are unsigned 64-bit numbers. Dynamo's trace replay answers 0.08333333333333333.
    """
    scenario = tmp_path / "one.yaml"
    scenario.write_text(
        "extends: oracle-3p5d\ntopology: {prefill: 1, decode: 1}\nhardware: {gpus: 2}\n"
        f"engine: {{prefill: {{chunked: {paged}}}, memory: {{paged: {paged}}}}}\n"
    )
    rows = [
        {"timestamp": 10_000 * k, "input_length": 3 * 512, "hash_ids": [first + i for i in ids]}
        for k, ids in enumerate(ORDERS)
    ]
    path = trace(tmp_path / "orders.jsonl", *rows)
    found = answer(capsys, str(scenario), "--trace", path, "--engine", engine)
    assert found["prefix_reuse"] == 1 / 12


@pytest.mark.parametrize("policy", ["kv", "two-choice-hashing"])
def test_engines_agree_on_ids_of_64_bits(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [2**64 - 1, 0, 2**63, 2**63 - 1, 1]
    rows = [
        {"timestamp": 40 * k, "input_length": 1024, "hash_ids": [ids[k % 5], ids[k * k % 5]]}
        for k in range(40)
    ]
    path, scenario = trace(tmp_path / "t.jsonl", *rows), tmp_path / "plain.yaml"
    scenario.write_text(
        "extends: oracle-3p5d\nengine: {prefill: {chunked: false}, memory: {paged: false}}\n"
        f"router: {{policy: {policy}}}\n"
    )
    logs = [tmp_path / f"{engine}.parquet" for engine in ("reference", "compiled")]
    for out in logs:
        command = [str(scenario), "--trace", path, "--engine", out.stem, "--out", str(out)]
        assert answer(capsys, *command)["prefix_reuse"] > 0
    assert logs[0].read_bytes() == logs[1].read_bytes()


def test_engines_give_the_same_answer_and_the_same_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def figures(engine: str) -> dict[str, float]:
        out = tmp_path / f"{engine}.parquet"
        found = answer(capsys, "70b-1p2d", "--rows", "900", "--engine", engine, "--out", str(out))
        del found["requests_per_wall_second"]
        assert (
            answer(capsys, "70b-1p2d", "--rows", "900", "--engine", engine).items() > found.items()
        )
        return found

    assert figures("reference") == figures("compiled") == figures("auto")
    files = [(tmp_path / f"{e}.parquet").read_bytes() for e in ("reference", "compiled", "auto")]
    assert files[0] == files[1] == files[2]


def test_auto_says_why_it_takes_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    changes = ["--rows", "20", "--set", "router.policy=clairvoyant"]
    assert simulate("70b-1p2d", *changes) == 0
    line = "engine: reference, because the compiled simulator lacks router.policy 'clairvoyant'\n"
    assert capsys.readouterr().err == line
    for silent in (["--engine", "reference", *changes], ["--rows", "20"]):
        assert simulate("70b-1p2d", *silent) == 0
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("engine", "rows"), [("compiled", 60_000), ("reference", 6000)])
def test_progress_rises_to_all_requests(
    engine: Literal["compiled", "reference"], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "REFRESH", 0.001)
    seen: list[tuple[int, int]] = []
    planned = plan_simulation("70b-1p2d", rows=rows)
    run_simulation(planned, engine=engine, progress=lambda *pair: seen.append(pair))
    done = [count for count, _ in seen]
    assert {wanted for _, wanted in seen} == {rows + 3 * 64}
    assert done == sorted(done)
    assert done[-1] == rows + 3 * 64
    assert len(set(done)) > 3, "it is told while the run goes on"


def test_a_log_that_cannot_be_written_whole_is_not_there(tmp_path: Path) -> None:
    planned = plan_simulation("70b-1p2d", rows=50)
    (tmp_path / "log.parquet").mkdir()
    with pytest.raises(InputError, match=r"--out: .* is a folder"):
        run_simulation(planned, out=tmp_path / "log.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["log.parquet"]


def test_ctrl_c_leaves_one_line_and_no_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "anarchy", "simulate", "70b-1p2d"]
    command += ["--out", str(tmp_path / "log.parquet"), "--engine", "reference"]
    command += ["--rows", "10000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not any(tmp_path.iterdir()):  # what it writes to is there as soon as it runs
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60)[1] == "anarchy: interrupted\n"
        finally:
            process.kill()  # it would go on for minutes
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_what_is_read_or_open_is_not_written_over(tmp_path: Path) -> None:
    mine = Path(trace(tmp_path / "mine.jsonl", {}))
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(f"extends: oracle-3p5d\nworkload: {{trace: {mine}, rows: 1}}\n")
    os.link(mine, tmp_path / "second-name.jsonl")
    (tmp_path / "link.jsonl").symlink_to(mine)
    os.mkfifo(tmp_path / "pipe")
    before = {path: path.read_bytes() for path in (mine, scenario)}
    names = sorted(path.name for path in tmp_path.iterdir())
    for arguments in (["oracle-3p5d", "--trace", str(mine)], [str(scenario)]):
        for name in ("mine.jsonl", "second-name.jsonl", "link.jsonl"):
            with pytest.raises(InputError, match=r"--out: .*, which is read; name another file"):
                simulate(*arguments, "--out", str(tmp_path / name))
    with pytest.raises(InputError, match=r"mine\.yaml, which is read"):
        simulate(str(scenario), "--out", str(scenario))
    with pytest.raises(InputError, match="is no regular file"):
        simulate(str(scenario), "--out", str(tmp_path / "pipe"))
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert before == {path: path.read_bytes() for path in (mine, scenario)}


def test_the_log_is_not_written_over_the_output(tmp_path: Path) -> None:
    out = tmp_path / "both"
    command = [sys.executable, "-m", "anarchy", "simulate", "70b-1p2d", "--out", str(out)]
    with out.open("w") as stdout:
        done = subprocess.run(
            command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        f"anarchy: --out: {out} is a standard stream of the command; name another file\n"
    )


def test_a_log_is_written_through_a_link(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = tmp_path / "link.parquet"
    link.symlink_to("log.parquet")
    assert answer(capsys, "70b-1p2d", "--rows", "50", "--out", str(link))["requests"] == 50
    assert link.is_symlink()
    assert len(read_log(tmp_path / "log.parquet")) >= 50


def test_a_trace_may_come_through_a_pipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain, pipe = Path(trace(tmp_path / "t.jsonl", {}, {"timestamp": 5})), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[gzip.compress(plain.read_bytes())])
    writer.start()
    assert answer(capsys, "oracle-3p5d", "--trace", str(pipe), "--rows", "2")["requests"] == 2
    writer.join()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_figures_beyond_numbers_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    planned = plan_simulation("oracle-3p5d", trace=Path(trace(tmp_path / "t.jsonl", {})))
    handoff = planned.scenario.engine.handoff.model_copy(update={"overhead": math.inf})
    engine = planned.scenario.engine.model_copy(update={"handoff": handoff})
    scenario = planned.scenario.model_copy(update={"engine": engine})
    with pytest.raises(InputError, match=r"oracle-3p5d\.yaml: mean_ttft is inf: some time"):
        run_simulation(replace(planned, scenario=scenario), out=tmp_path / "log.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]


def test_a_scenario_file_may_extend_a_known_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: 70b-1p2d\ndescription: '[/s] [red]'\ntopology: {decode: 3}\n")
    assert answer(capsys, str(path), "--rows", "50")["requests"] == 50
    assert simulate(str(path), "--rows", "50") == 0
    assert "[/s] [red]" in capsys.readouterr().out


def test_fields_are_set(capsys: pytest.CaptureFixture[str]) -> None:
    few = answer(capsys, "70b-1p2d", "--rows", "200", "--set", "workload.clients=1")
    many = answer(capsys, "70b-1p2d", "--rows", "200", "--set", "workload.clients=200")
    assert many["throughput"] > 5 * few["throughput"]


BAD_TRACES: dict[str, tuple[list[dict[str, object]], str]] = {
    "huge-hash": ([{"hash_ids": [1, 2**64]}], r":1: hash_ids must be whole numbers from 0 to"),
    "zero-length": ([{"input_length": 0}], r":1: input_length 0, allowed"),
    "negative-length": ([{"output_length": -3}], r":1: output_length -3, allowed"),
    "short-hash-list": ([{"hash_ids": [1]}], r":1: 1 hash_ids, but 600 prompt tokens have 2"),
}


@pytest.mark.parametrize("case", BAD_TRACES)
def test_faulty_traces_are_refused(case: str, tmp_path: Path) -> None:
    rows, message = BAD_TRACES[case]
    out = tmp_path / "log.parquet"
    with pytest.raises(InputError, match=message):
        simulate("oracle-3p5d", "--trace", trace(tmp_path / "t.jsonl", *rows), "--out", str(out))
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]


BAD_ARGUMENTS: dict[str, tuple[list[str], str]] = {
    "scenario": (["70b-1p2"], "unknown scenario '70b-1p2'; did you mean '70b-1p2d'"),
    "file": (["nowhere/x.yaml"], "no such scenario file"),
    "policy": (["70b-1p2d", "--set", "router.policy=kvv"], "did you mean 'kv'"),
    "key": (["70b-1p2d", "--set", "router.polcy=kv"], "did you mean 'policy'"),
    "no-value": (["70b-1p2d", "--set", "router.policy"], "is not key=value"),
    "value": (["70b-1p2d", "--set", "router.policy=["], "--set router.policy:1: not YAML"),
    "nan": (["70b-1p2d", "--set", "router.temperature=.nan"], "router.temperature"),
    "capacity": (["oracle-3p5d", "--set", "engine.cache.capacity_tokens=0"], "greater than"),
    "seed": (["70b-1p2d", "--seed", "-1"], "--seed: -1"),
    "large-seed": (["70b-1p2d", "--seed", str(2**63)], "--seed: 9223372036854775808, allowed"),
    "rows": (["70b-1p2d", "--rows", "0"], "--rows: 0"),
    "many-rows": (["70b-1p2d", "--rows", str(2**62)], "--rows: 4611686018427387904, allowed"),
    "most-rows": (["70b-1p2d", "--rows", str(2**63)], "whole numbers from 1 to 100,000,000"),
    "trace": (["70b-1p2d", "--trace", "nowhere.jsonl"], "--trace: nowhere.jsonl: no such file"),
    "folder": (["70b-1p2d", "--out", "config"], "--out: config is a folder"),
    "out": (["70b-1p2d", "--out", "README.md/log.parquet"], "no writable folder"),
    "device": (["70b-1p2d", "--out", "/dev/null"], "--out: /dev/null is no regular file"),
    "engine": (
        ["70b-1p2d", "--engine", "compiled", "--set", "router.policy=clairvoyant"],
        "--engine: the compiled simulator lacks router.policy 'clairvoyant'; allowed are auto and",
    ),
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_faulty_arguments_are_one_line(case: str) -> None:
    arguments, message = BAD_ARGUMENTS[case]
    with pytest.raises(InputError, match=message) as fault:
        simulate(*arguments)
    assert "\n" not in str(fault.value)


def test_a_prompt_larger_than_any_worker_is_refused() -> None:
    with pytest.raises(InputError, match="100, but a prompt has 128 tokens"):
        simulate("70b-1p2d", "--set", "engine.cache.capacity_tokens=100")


def test_nan_in_a_latency_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    shutil.copytree(paths.CONFIG, tmp_path / "config")
    table = tmp_path / "config" / "latency" / "fixed-100ms-8ms.json"
    table.write_text(table.read_text().replace("[[0.008, 0.008]]", "[[NaN, 0.008]]"))
    path = trace(tmp_path / "t.jsonl", {})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"fixed-100ms-8ms.json: itl.seconds"):
        simulate("oracle-3p5d", "--trace", path)


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        simulate("--help")
    text = capsys.readouterr().out
    for part in (
        "--set KEY=VALUE",
        "--engine {auto,compiled,reference}",
        "router.temperature=0.5 --json",
        "hash_ids",
        "<(zcat trace.csv.gz",
        "read_parquet",
        "TTFT",
    ):
        assert part in text
