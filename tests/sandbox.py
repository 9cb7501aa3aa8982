"""Runs code in a child that may neither take long nor grow, nor write where it has no business.

A fork costs a hundredth of a new interpreter, and whatever the code does to itself ends with it.
"""

import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from hypothesis import settings

from anarchy.cli.main import main
from anarchy.common.errors import MOST_CHARACTERS, InputError

SECONDS = 5
"""Processor time of a child; more is a hang."""

PATIENCE = 60
"""Seconds of the clock after which a child that only waits is ended."""

BYTES = 10**9
"""Memory that a child may take beside what it was born with."""

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {"os.mkdir", "os.rmdir", "os.remove", "os.rename", "os.link", "os.symlink", "os.truncate"}
CHANGES |= {"os.chmod", "os.chown", "os.mkfifo", "os.mknod", "os.utime", "shutil.rmtree"}
STARTS = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen"}
STARTS |= {"socket.bind"}
"""Events of Python's audit hook."""

REFUSED = 70
"""Exit code of a child that did what it may not; the last line of `err` says what."""

runs = 0
"""Children so far."""


@dataclass(frozen=True)
class Outcome:
    """How a child ended: its exit code, negative for a signal, and what it printed."""

    code: int
    out: str
    err: str


def inputs(share: float) -> settings:
    """So many inputs for each of the profile's examples: the nightly run has more of them."""
    return settings(max_examples=round(share * settings().max_examples))


def run(work: Callable[[], int], folder: Path) -> Outcome:
    """What becomes of `work`, which returns an exit code and may write below `folder` alone."""
    global runs
    runs += 1
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            _work(work, folder, out.fileno(), err.fileno())
        _, status = os.waitpid(child, 0)
        for file in (out, err):
            file.seek(0)
        texts = (file.read().decode("utf-8", "surrogateescape") for file in (out, err))
        return Outcome(os.waitstatus_to_exitcode(status), *texts)


def command(*arguments: str, folder: Path) -> Outcome:
    """What becomes of `anarchy ARGUMENTS`."""
    return run(lambda: main(arguments), folder)


def assert_answered(outcome: Outcome, fine: tuple[int, ...] = (0,)) -> None:
    """It ended well, or with code 2 and one line that no input can have drawn."""
    if outcome.code not in fine:
        assert (outcome.code, outcome.out) == (2, ""), outcome
        assert_one_line(outcome)


def assert_one_line(outcome: Outcome) -> None:
    """What was wrong is one line."""
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome
    assert outcome.err.startswith("anarchy: ")
    assert outcome.err[:-1].isprintable()
    assert len(outcome.err) <= len("anarchy: \n") + MOST_CHARACTERS


def _work(work: Callable[[], int], folder: Path, out: int, err: int) -> NoReturn:
    code = 1
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        _limit()
        sys.dont_write_bytecode = True
        sys.addaudithook(_Guard(folder))
        with (
            open(1, "w", encoding="utf-8", closefd=False) as sys.stdout,
            open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False) as sys.stderr,
        ):
            code = _exit_code(work)
    finally:
        os._exit(code)


def _exit_code(work: Callable[[], int]) -> int:
    """As the command has it: bad input is one line and code 2."""
    try:
        return work()
    except InputError as fault:
        print(f"anarchy: {fault}", file=sys.stderr)
        return 2
    except BaseException:
        traceback.print_exc()
        return 1


def _limit() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(PATIENCE)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    if sys.platform == "linux":  # elsewhere nothing says what it was born with
        status = Path("/proc/self/status").read_text(encoding="ascii")
        born = int(status.partition("VmData:")[2].split()[0]) * 1024
        resource.setrlimit(resource.RLIMIT_DATA, (born + BYTES, born + BYTES))


class _Guard:
    """An audit hook that ends the process when it writes elsewhere or starts something."""

    def __init__(self, folder: Path) -> None:
        self._own = os.path.realpath(folder) + os.sep

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(path, int) and flags & WRITING:
                self._allow_only_own(event, path)
        elif event in CHANGES:
            for path in arguments[: 2 if event in ("os.rename", "os.link") else 1]:
                self._allow_only_own(event, path)
        elif event in STARTS:
            self._refuse(event, arguments)

    def _allow_only_own(self, event: str, path: Any) -> None:
        real = os.path.realpath(os.fsdecode(path))
        if not real.startswith(self._own) and real != os.devnull:
            self._refuse(event, real)

    def _refuse(self, event: str, what: object) -> NoReturn:
        os.write(2, f"\nthe sandbox refuses {event} {what!r}\n".encode(errors="backslashreplace"))
        os._exit(REFUSED)
