"""Processes are watched while they run, and none outlives whoever started it."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from anarchy.live.processes import LiveError, Processes, free_port

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the live stack is for Linux")

SLEEP = ["sleep", "1000"]
ENVIRONMENT = dict(os.environ)

OWNER = """
import os, sys, time
from pathlib import Path
from anarchy.live.processes import Processes
with Processes(Path(sys.argv[1])) as processes:
    for number in range(3):
        process = processes.start(f"child-{number}", ["sleep", "1000"], dict(os.environ))
        print(process.pid, flush=True)
    print("all", flush=True)
    time.sleep(1000)
"""


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie that waits for its new parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def all_end(pids: list[int]) -> bool:
    """Whether they end within some seconds."""
    for _ in range(500):
        if not any(is_running(pid) for pid in pids):
            return True
        time.sleep(0.01)
    return False


def shell(text: str) -> list[str]:
    return ["sh", "-c", text]


@pytest.mark.parametrize(
    ("program", "said"),
    [
        pytest.param("echo first; echo last; exit 3", "(exit code 3): last", id="last-line"),
        pytest.param(
            "echo 'x ERROR why'; echo bye; exit 1", "(exit code 1): x ERROR why", id="why"
        ),
        pytest.param("exit 0", "(exit code 0): it said nothing", id="silent"),
        pytest.param("echo oops >&2; kill -9 $$", "(signal 9): oops", id="signal"),
    ],
)
def test_a_death_is_one_line_that_says_why(program: str, said: str, tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("worker", shell(program), ENVIRONMENT)
        with pytest.raises(LiveError) as death:
            processes.wait_until(lambda: False, "nothing", 10)
    assert str(death.value) == f"worker died {said}"


def test_a_program_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes, pytest.raises(LiveError) as missing:
        processes.start("nats", [tmp_path / "nats-server"], ENVIRONMENT)
    assert (
        str(missing.value)
        == f"nats: cannot start {tmp_path}/nats-server: No such file or directory"
    )


def test_what_never_happens_is_one_line(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("worker", SLEEP, ENVIRONMENT)
        with pytest.raises(LiveError) as late:
            processes.wait_until(lambda: False, "the engines", 0.1)
    assert str(late.value) == f"the engines: not within 0.1 s; the logs are in {tmp_path}"


def test_whoever_tells_a_dead_process_something_hears_of_its_death(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        process = processes.start("worker", shell("echo done"), ENVIRONMENT)
        assert all_end([process.pid])
        with pytest.raises(LiveError, match=r"^worker died \(exit code 0\): done$"):
            process.tell("lateness")


def test_whoever_does_not_listen_any_more_is_ended(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        deaf = shell("exec <&-; echo deaf; exec sleep 1000")
        process = processes.start("worker", deaf, ENVIRONMENT)
        processes.wait_until(lambda: process.log.read_text() != "", "it", 10)
        with pytest.raises(LiveError, match=r"^worker died \(signal 9\): deaf$"):
            process.tell("lateness")


def test_a_process_hears_what_it_is_told(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        process = processes.start("worker", shell('read line; echo "$line"; cat'), ENVIRONMENT)
        process.tell("lateness")
        processes.wait_until(lambda: process.log.read_text() == "lateness\n", "an echo", 10)


def test_an_error_ends_all_processes_and_what_they_started(tmp_path: Path) -> None:
    pids: list[int] = []

    def fail() -> None:
        deaf = "trap '' TERM INT HUP; sleep 1000 & echo $!; wait"
        with Processes(tmp_path) as processes:
            several = [processes.start(f"{n}", shell(deaf), ENVIRONMENT) for n in range(3)]
            processes.wait_until(lambda: all(p.log.read_text() for p in several), "them", 10)
            pids.extend([p.pid for p in several] + [int(p.log.read_text()) for p in several])
            assert all(map(is_running, pids))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(pids) == 6
    assert all_end(pids)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_processes_end_with_their_owner(how: signal.Signals, tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout is not None
    pids = [int(owner.stdout.readline()) for _ in range(3)]
    assert owner.stdout.readline() == "all\n"
    assert all(map(is_running, pids))
    owner.send_signal(how)
    assert owner.wait(10) == -how
    assert all_end(pids)


def test_a_signal_of_the_terminal_reaches_the_owner_alone(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        process = processes.start("worker", SLEEP, ENVIRONMENT)
        assert os.getpgid(process.pid) == process.pid != os.getpgrp()


def test_a_busy_port_is_one_line() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(LiveError) as busy:
            free_port(port)
    assert (
        str(busy.value) == f"port {port}: Address already in use; allowed: a free one, or 0 for any"
    )
    assert free_port(port) == port, "it is free now"


def test_any_port_is_a_free_one() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", free_port()))
