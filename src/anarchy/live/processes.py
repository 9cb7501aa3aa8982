"""The processes of the live stack: started, watched and ended by whoever holds them.

Each is in a process group of its own, so that Ctrl-C reaches its owner alone, which then ends all
of them. Should the owner be killed, the kernel kills them with it (Linux, as the wheels of the
stack are for). Nothing that they have in memory is worth keeping.
"""

import ctypes
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from anarchy.common.errors import MOST_CHARACTERS, printable

PR_SET_PDEATHSIG = 1
COMPLAINT = re.compile(r"\bERROR\b|\[FTL\]")
"""What marks the line of a log that says why a program ends; else it is the last one."""

POLL = 0.02
"""Seconds between two looks at whether something has happened."""


class LiveError(Exception):
    """The live stack cannot start or go on: one line that says what failed, and exit code 1."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, MOST_CHARACTERS))


class Process:
    """A process with its log, which has all that it writes."""

    def __init__(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        libc, owner = ctypes.CDLL(None), os.getpid()

        def die_with_owner() -> None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != owner:  # it is dead already
                os.kill(os.getpid(), signal.SIGKILL)

        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=environment,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                process_group=0,
                preexec_fn=die_with_owner,
            )

    @property
    def pid(self) -> int:
        """Its id, which is that of its group too."""
        return self._process.pid

    def check(self) -> None:
        """Raise LiveError if it has ended, with the line of its log that says why."""
        code = self._process.poll()
        if code is not None:
            how = f"exit code {code}" if code >= 0 else f"signal {-code}"
            raise LiveError(f"{self.name} died ({how}): {self._last_words()}")

    def _last_words(self) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        complaints = [line for line in lines if COMPLAINT.search(line)]
        return (complaints or lines or ["it said nothing"])[-1]

    def tell(self, line: str) -> None:
        """Write a line to its standard input; one that does not listen any more is ended."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
        except BrokenPipeError:
            self.end()
            self.check()

    def end(self) -> None:
        """Kill it, whatever it does, and wait for its end."""
        if self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


class Processes:
    """All processes of a stack, as a context at whose end none is left."""

    def __init__(self, folder: Path) -> None:
        """Logs are written to `folder`."""
        self._folder = folder
        self.running: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for process in reversed(self.running):
            process.end()

    def start(
        self, name: str, command: Sequence[str | Path], environment: Mapping[str, str]
    ) -> Process:
        """Start a process; LiveError if its program is not there."""
        try:
            process = Process(name, command, environment, self._folder)
        except OSError as error:
            raise LiveError(f"{name}: cannot start {command[0]}: {error.strerror}") from None
        self.running.append(process)
        return process

    def end(self, process: Process) -> None:
        """End one of them, and watch it no longer."""
        process.end()
        self.running.remove(process)

    def check(self) -> None:
        """Raise LiveError if any of them has ended."""
        for process in self.running:
            process.check()

    def wait_until(self, done: Callable[[], bool], what: str, seconds: float) -> None:
        """Return when `done` says so; LiveError if a process ends or the time is up before."""
        deadline = time.monotonic() + seconds
        while not done():
            self.check()
            if time.monotonic() > deadline:
                raise LiveError(f"{what}: not within {seconds:g} s; the logs are in {self._folder}")
            time.sleep(POLL)


def free_port(wanted: int = 0) -> int:
    """A port of the loopback interface that nobody has: `wanted`, or any if it is 0."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            why = f"port {wanted}: {error.strerror}; allowed: a free one, or 0 for any"
            raise LiveError(why) from None
        port: int = probe.getsockname()[1]
        return port
