"""The real Dynamo v0.9.0 with our engines: skipped where `./reproduce live` has not set it up."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from anarchy.common import paths
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.service_times.unloaded import handoff_seconds
from tests.live.test_processes import all_end

PYTHON = paths.ROOT / ".venv-live/bin/python"

pytestmark = pytest.mark.skipif(
    not (PYTHON.parent.parent / ".stamp").is_file(),
    reason="the real Dynamo v0.9.0 is not installed here; `./reproduce live` does",
)

DILATION = 4.0
PROMPT, OUTPUT = 128, 20
ENDLESS = 20_000
"""Tokens of an output that no test waits for."""


def scenario(name: str, output_tokens: int = OUTPUT) -> Scenario:
    """A published deployment, as Dynamo v0.9.0 serves it."""
    published = load_scenario(paths.ROOT / paths.SCENARIOS, f"{name}-v09")
    return with_fields(published, {"workload.output_tokens": output_tokens}, "test")


@contextmanager
def start(folder: Path, asked: Scenario, *options: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the stack of a scenario, which is to be asked for completions."""
    (folder / "scenario.json").write_text(asked.model_dump_json(), encoding="utf-8")
    program = paths.ROOT / "tests/live/complete.py"
    with subprocess.Popen(
        [PYTHON, program, folder / "run", folder / "scenario.json", str(DILATION), *options],
        env={**os.environ, "PYTHONPATH": str(paths.ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as owner:
        try:
            yield owner
        finally:
            owner.kill()


def children(pid: int) -> set[int]:
    """The processes that one has started and that are there."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="utf-8")
        except OSError:
            continue
        if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
            found.add(int(folder.name))
    return found


def decisions(log: str, workers: list[int]) -> list[str]:
    """The lines in which the router weighs some workers."""
    return [
        line
        for line in log.splitlines()
        if any(f"Formula for worker_id={worker} " in line for worker in workers)
    ]


def check_answers(found: dict[str, Any], name: str) -> None:
    """What two equal requests, one after the other, must show."""
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario(name).model.latency)
    steps = [latency.itl(1, PROMPT + made) for made in range(OUTPUT)]
    handoff = handoff_seconds(scenario(name), PROMPT)
    for computed, answer in zip((PROMPT, 1), found["answers"], strict=True):
        first = DILATION * (latency.prefill(computed) + handoff + steps[0])
        assert answer["words"] == OUTPUT
        assert answer["first"] > first
        assert answer["last"] > first + DILATION * sum(steps[1:])
    assert found["given_up"]
    assert set(found["lateness"]) == {"p50", "p99", "max"}
    prefill, decode = (decisions(found["log"], found[pool]) for pool in ("prefill", "decode"))
    assert "with 0 cached blocks: 8.000 = 1.0 * prefill_blocks" in prefill[0]
    assert "with 8 cached blocks: 0.000 = 1.0 * prefill_blocks" in prefill[-1]
    assert len(decode) == 2 * len(found["decode"]), "each weighed once for each request"
    assert all("= 0.0 * 8.000 + 8.000" in line for line in decode), "omega is 0 in decode"


@pytest.mark.parametrize(
    "name",
    [
        "70b-1p2d",
        pytest.param("70b-1p5d", marks=pytest.mark.nightly),
        pytest.param("340b-1p2d", marks=pytest.mark.nightly),
    ],
)
def test_completions_go_through_prefill_and_decode(name: str, tmp_path: Path) -> None:
    with start(tmp_path, scenario(name)) as owner:
        output, errors = owner.communicate(timeout=120)
    assert owner.returncode == 0, errors
    pids, found = map(json.loads, output.splitlines())
    assert len(pids["pids"]) == 2 + len(found["prefill"]) + len(found["decode"])
    check_answers(found, name)
    assert all_end(pids["pids"])


def test_a_router_of_its_own_follows_the_override(tmp_path: Path) -> None:
    """Through `KvPushRouter`, of which every request is told omega; in decode it stays 0."""
    override = tmp_path / "override.json"
    values = {"router_temperature": 0.7, "overlap_score_weight": 0.5}
    override.write_text(json.dumps(values), encoding="utf-8")
    with start(tmp_path, scenario("70b-1p2d"), override) as owner:
        output, errors = owner.communicate(timeout=120)
    assert owner.returncode == 0, errors
    pids, found = map(json.loads, output.splitlines())
    assert len(pids["pids"]) == 3 + len(found["prefill"]) + len(found["decode"])
    assert [answer["words"] for answer in found["answers"]] == [OUTPUT] * 2
    assert found["given_up"]
    prefill, decode = (decisions(found["log"], found[pool]) for pool in ("prefill", "decode"))
    assert len(prefill) == 2, "each routed once, without a query before"
    assert all("= 0.5 * prefill_blocks + decode_blocks" in line for line in prefill)
    assert all("= 0.0 * prefill_blocks + decode_blocks" in line for line in decode)
    assert all_end(pids["pids"])


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_killed_owner(how: signal.Signals, seed: int, tmp_path: Path) -> None:
    """Whenever it is killed: while the stack starts, or while it serves."""
    seen: set[int] = set()
    with start(tmp_path, scenario("70b-1p2d", ENDLESS)) as owner:
        deadline = time.monotonic() + random.Random(seed).uniform(0.1, 4.0)
        while time.monotonic() < deadline:
            seen |= children(owner.pid)
            time.sleep(0.01)
        owner.send_signal(how)
        owner.communicate(timeout=60)
    assert owner.returncode == -how
    assert all_end(sorted(seen))
