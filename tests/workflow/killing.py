"""Runs of a build that end at some moment, and whatever they leave behind."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SEED = int(os.environ.get("NIGHTLY_SEED", time.time_ns() % 10**6))
"""Of the random moments; tests print it."""

PATIENCE = 300.0
"""Seconds to wait for a moment, or for the end of a run that was told to stop."""

PASSING = 10.0
"""Seconds in which processes that were killed have to be gone."""

REMAINS = (
    "**/.*.part*",
    ".cache/tmp/*",
    ".cache/alive",
    ".cache/snakemake/**/runtime-cache/tmp*",
    ".snakemake/scripts/tmp*",
    ".snakemake/incomplete/*",
    "**/.room",
)
"""Temporary files of the artefact and of its tools, below a project."""

KILL, TERM, INT, HUP = signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP

WAYS: dict[str, Callable[["Run"], None]] = {
    "everything killed": lambda run: run.kill_all(),
    "script killed": lambda run: run.process.send_signal(KILL),
    "Snakemake killed": lambda run: run.kill_child(),
    "SIGTERM": lambda run: run.process.send_signal(TERM),
    "SIGINT": lambda run: run.process.send_signal(INT),
    "SIGHUP": lambda run: run.process.send_signal(HUP),
}
"""How `./reproduce` may be ended, or what it is waiting for."""


class Run:
    """A command in a session of its own, whose processes are thereby known."""

    def __init__(self, command: list[str], folder: Path, variables: dict[str, str]) -> None:
        self._folder = folder.resolve()
        self._printed = folder.with_name(f"{folder.name}.printed")
        with self._printed.open("wb") as printed:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def said(self) -> str:
        """What it printed, so far."""
        return self._printed.read_text(errors="replace")

    def wait_until(self, moment: Callable[["Run"], bool], every: float = 0.02) -> bool:
        """Whether the moment came before the run had ended; a look `every` so many seconds."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            with suppress(FileNotFoundError):  # folders that it removes are being looked at
                if moment(self):
                    return True
            assert time.monotonic() < end, self.said()[-3000:]
            time.sleep(every)
        return False

    def runs(self, words: str) -> bool:
        """Whether a process of it has the words in its command."""
        return any(words in command for command in self.commands().values())

    def commands(self) -> dict[int, str]:
        """Its processes: those of its session, and whatever else is at work in its folder."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                stat = (entry / "stat").read_text(errors="replace").rpartition(") ")[2].split()
                inside = (entry / "cwd").resolve().is_relative_to(self._folder)
                if stat[0] not in "ZX" and (int(stat[3]) == self.process.pid or inside):
                    text = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                    found[int(entry.name)] = text.decode(errors="replace")
            except OSError:  # it has ended
                continue
        return found

    def kill_all(self) -> None:
        """Leave nobody time to clean up."""
        for pid in self.commands():
            _kill(pid)

    def kill_child(self) -> None:
        """Kill the one process that the script waits for."""
        for pid, command in self.commands().items():
            stat = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2].split()
            if int(stat[1]) == self.process.pid and " -m " in command:
                _kill(pid)

    def end(self) -> int:
        """Wait for the end of it and of all that it started; its exit code."""
        code = self.process.wait(PATIENCE)
        deadline = time.monotonic() + PASSING
        while self.commands() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.commands() == {}, "processes that outlive their build"
        return code


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, KILL)


def remains(project: Path) -> list[str]:
    """The temporary files that are left."""
    return sorted(str(path.relative_to(project)) for name in REMAINS for path in project.glob(name))
