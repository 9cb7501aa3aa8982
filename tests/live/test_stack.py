"""How the stack starts, is watched and ends; short scripts stand in for all that it starts."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario, with_fields
from anarchy.config.settings import load_scenario
from anarchy.live import stack
from anarchy.live.processes import LiveError, Processes
from tests.live.test_processes import all_end, is_running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the live stack is for Linux")

SCENARIO = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p2d")

NATS = "echo Server is ready; exec sleep 1000"

WORKER = """entries=${3%/*}/discovery/v1/instances
mkdir -p "$entries"
echo '{}' >"$entries/$(printf %s%%2Fgenerate%%2F%x "$4" $$)"
echo "{\\"id\\": $$}" >"$6"
while read -r line; do echo '{"p50": 0.001, "p99": 0.00'$(($5 + 2))'}' >>"$6"; done"""

ROUTER = """entries=${3%/*}/discovery/v1/instances
echo '{}' >"$entries/$(printf routed%%2Fgenerate%%2F%x $$)"
echo "{\\"id\\": $$}" >"$6"
for file in "${3%/*}"/*code-*.answers "${3%/*}"/prefill-*.answers; do
    echo "Selected worker: worker_id=$(sed 's/[^0-9]//g;q' "$file") dp_rank=0"
done
exec sleep 1000"""

FRONTEND = f"""while [ "$1" != --http-port ]; do shift; done
exec {sys.executable} -c '
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
class Frontend(BaseHTTPRequestHandler):
    def do_POST(self):
        for file in sorted(Path(sys.argv[2]).glob("*.answers")):
            worker = json.loads(file.read_text().splitlines()[0])["id"]
            print(f"Selected worker: worker_id={{worker}} dp_rank=0", flush=True)
        self.send_response(200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Frontend).serve_forever()
' "$2" "${{0%/*}}/run"
"""

SILENT = f"""while [ "$1" != --http-port ]; do shift; done
exec {sys.executable} -c '
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(1000)
' "$2"
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts scripts in place of NATS, the workers and the frontend; each notes its process."""

    def put(
        nats: str = NATS, worker: str = WORKER, frontend: str = FRONTEND, router: str = ROUTER
    ) -> None:
        note = f'#!/usr/bin/env bash\necho $$ >>"{tmp_path}/pids"\n'
        python = f"""case $2 in
anarchy.live.worker) {worker}
;;
anarchy.live.override_router) {router}
;;
anarchy) exit 3
;;
*) echo "$*" >"{tmp_path}/frontend"
{frontend}
;;
esac"""
        for name, text in (("nats-server", nats), ("python", python)):
            (tmp_path / name).write_text(note + text, encoding="utf-8")
            (tmp_path / name).chmod(0o755)

    monkeypatch.setattr(stack, "NATS", tmp_path / "nats-server")
    monkeypatch.setattr(stack, "PYTHON", str(tmp_path / "python"))
    return put


def started(tmp_path: Path) -> list[int]:
    """The processes that were started."""
    return [int(pid) for pid in (tmp_path / "pids").read_text(encoding="utf-8").split()]


def start(tmp_path: Path, scenario: Scenario = SCENARIO) -> dict[str, float]:
    """Start and stop a stack; returns its lateness."""
    with stack.running(scenario, 4.0, tmp_path / "run") as running:
        return running.lateness()


def test_it_starts_and_everything_ends_with_it(
    programs: Callable[..., None], tmp_path: Path
) -> None:
    programs()
    with stack.running(SCENARIO, 4.0, tmp_path / "run") as running:
        running.check()
        pids = started(tmp_path)
        assert len(pids) == 5
        assert all(map(is_running, pids))
        assert {*running.prefill_workers, *running.decode_workers} < set(pids)
        assert (len(running.prefill_workers), len(running.decode_workers)) == (1, 2)
        assert running.model == "Llama-3.1-70B"
        assert running.url.startswith("http://127.0.0.1:")
        assert "Selected" in running.router_log.read_text(encoding="utf-8")
        assert running.lateness() == {"p50": 0.001, "p99": 0.003}, "that of the worst"
    assert all_end(pids)


@pytest.mark.parametrize("name", ["nats", "prefill-0", "decode-1", "frontend-1"])
def test_a_death_is_noticed(name: str, programs: Callable[..., None], tmp_path: Path) -> None:
    programs()
    with stack.running(SCENARIO, 4.0, tmp_path / "run") as running:
        (process,) = [p for p in running._processes.running if p.name == name]
        os.kill(process.pid, signal.SIGKILL)
        all_end([process.pid])
        with pytest.raises(LiveError, match=rf"^{name} died \(signal 9\): "):
            running.check()
    assert all_end(started(tmp_path))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        pytest.param(
            {"nats": "echo '[FTL] no room'; exit 1"},
            "nats died (exit code 1): [FTL] no room",
            id="nats-dies",
        ),
        pytest.param({"nats": "exec sleep 1000"}, "nats: not within 0.5 s", id="nats-hangs"),
        pytest.param(
            {"worker": "[ $4$5 = decode1 ] || exec sleep 1000; exit 3"},
            "decode-1 died (exit code 3): it said nothing",
            id="worker-dies",
        ),
        pytest.param(
            {"worker": "exec sleep 1000"}, "the engines: not within 0.5 s", id="worker-hangs"
        ),
        pytest.param(
            {"frontend": "echo 'x ERROR address in use'; exit 1"},
            "frontend-1 died (exit code 1): x ERROR address in use",
            id="frontend-dies",
        ),
        pytest.param(
            {"frontend": SILENT},
            "the frontend's first answers: not within 0.5 s",
            id="frontend-silent",
        ),
        pytest.param(
            {
                "frontend": FRONTEND.replace("print(", "str("),
            },
            "the frontend's first answers: not within 0.5 s",
            id="router-blind",
        ),
    ],
)
def test_what_does_not_start_is_one_line_and_leaves_nothing(
    parts: dict[str, str],
    message: str,
    programs: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait = Processes.wait_until

    def impatient(
        processes: Processes, done: Callable[[], bool], what: str, seconds: float
    ) -> None:
        """What is to hang is waited for a moment only, and all else as long as it takes."""
        wait(processes, done, what, 0.5 if message.startswith(what) else seconds)

    monkeypatch.setattr(Processes, "wait_until", impatient)
    monkeypatch.setattr(stack, "ANSWER_SECONDS", 0.2)
    programs(**parts)
    with pytest.raises(LiveError) as failed:
        start(tmp_path)
    assert str(failed.value).startswith(message)
    assert all_end(started(tmp_path))


BLIND = "echo 'WARN Failed to add request 7: Worker not found'; "


def test_a_router_that_overlooks_a_worker_is_replaced(
    programs: Callable[..., None], tmp_path: Path
) -> None:
    # The mark comes first: the stack ends this frontend as soon as it reads the warning.
    once = f'[ -e "${{0%/*}}/mark" ] || {{ touch "${{0%/*}}/mark"; {BLIND} }}\n'
    programs(frontend=once + FRONTEND)
    with stack.running(SCENARIO, 4.0, tmp_path / "run") as running:
        *others, first, second = started(tmp_path)
        assert running.router_log.name == "frontend-2.log"
        assert all_end([first])
        assert all(map(is_running, [*others, second]))
        running.check()


def test_a_router_that_always_overlooks_a_worker_is_one_line(
    programs: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "MOST_STARTS", 2)
    programs(frontend=BLIND + FRONTEND)
    with pytest.raises(LiveError, match=r"^the router overlooked a worker .*: 2$"):
        start(tmp_path)
    assert len(started(tmp_path)) == 6
    assert all_end(started(tmp_path))


def test_a_busy_port_is_one_line_and_leaves_nothing(
    programs: Callable[..., None], tmp_path: Path
) -> None:
    programs()
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        busy = rf"^port {port}: Address already in use; allowed: a free one, or 0 for any$"
        with (
            pytest.raises(LiveError, match=busy),
            stack.running(SCENARIO, 4.0, tmp_path / "run", port),
        ):
            pass
    assert all_end(started(tmp_path))


def test_a_scenario_that_cannot_be_live_starts_nothing(
    programs: Callable[..., None], tmp_path: Path
) -> None:
    programs()
    with pytest.raises(InputError, match=r"^live: planner.rule: 'load' is simulated only"):
        start(tmp_path, with_fields(SCENARIO, {"planner.rule": "load"}, "test"))
    assert not (tmp_path / "pids").exists()


def test_the_router_is_that_of_the_scenario(programs: Callable[..., None], tmp_path: Path) -> None:
    programs()
    values = {
        "router.temperature": 0.7,
        "router.overlap_weight": 0.1,
        "engine.cache.block_tokens": 16,
        "router.tracking.active_blocks": "distinct",
    }
    assert start(tmp_path, with_fields(SCENARIO, values, "test"))
    command = (tmp_path / "frontend").read_text(encoding="utf-8")
    assert "--router-temperature 0.7 --kv-overlap-score-weight 0.1" in command
    assert "--kv-cache-block-size 16" in command
    assert "--no-assume-kv-reuse" not in command
    assert "--track-output-blocks" not in command


@pytest.mark.parametrize(
    ("path", "value", "option"),
    [
        ("router.tracking.active_blocks", "per-request", "--no-assume-kv-reuse"),
        ("router.tracking.generated_blocks", True, "--track-output-blocks"),
    ],
)
def test_the_router_counts_as_the_scenario_says(
    path: str, value: object, option: str, programs: Callable[..., None], tmp_path: Path
) -> None:
    programs()
    start(tmp_path, with_fields(SCENARIO, {path: value}, "test"))
    assert option in (tmp_path / "frontend").read_text(encoding="utf-8").split()


def test_a_router_that_follows_a_file_stands_before_the_workers(
    programs: Callable[..., None], tmp_path: Path
) -> None:
    programs(frontend=FRONTEND.replace("print(", "str("))  # it decides nothing then
    override = tmp_path / "override.json"
    with stack.running(SCENARIO, 4.0, tmp_path / "run", override=override) as running:
        assert running.router_log.name == "routed-1.log"
        pids = started(tmp_path)
        assert len(pids) == 6
        asked = (tmp_path / "frontend").read_text(encoding="utf-8")
        assert "--namespace routed-1 --router-mode round-robin" in asked
        assert "--router-temperature" not in asked
    assert all_end(pids)


def test_a_router_before_the_workers_is_replaced_with_its_frontend(
    programs: Callable[..., None], tmp_path: Path
) -> None:
    once = f'[ -e "${{0%/*}}/mark" ] || {{ touch "${{0%/*}}/mark"; {BLIND} }}\n'
    programs(router=once + ROUTER)
    override = tmp_path / "override.json"
    with stack.running(SCENARIO, 4.0, tmp_path / "run", override=override) as running:
        assert running.router_log.name == "routed-2.log"
        alive = {process.pid for process in running._processes.running}
        assert len(alive) == 6
        assert all_end([pid for pid in started(tmp_path) if pid not in alive])


def test_a_program_beside_the_stack_is_watched_and_ended(
    programs: Callable[..., None], tmp_path: Path
) -> None:
    programs()
    with stack.running(SCENARIO, 4.0, tmp_path / "run") as running:
        with running.beside("controller", ["-m", "anarchy", "control"]) as program:
            assert program.log.name == "controller.log"
            all_end([program.pid])
            with pytest.raises(LiveError, match=r"^controller died"):
                running.check()
        running.check()
