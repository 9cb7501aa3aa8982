"""The scripts of a build's jobs, run as forks of one process that has imported what they need.

Most jobs take less time than Python takes to import numba, matplotlib or pyarrow for them. This
process imports them once and forks for each script; the exit code goes back through a pipe. It
ends with the process that started it.

`python -m anarchy.build_forks FD` is that process: scripts come through the socket FD.
"""

import errno
import gc
import importlib
import os
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from functools import cache
from threading import Lock
from typing import NoReturn

from anarchy.common.garbage_collection import collect_rarely

PRELOADED = (
    "snakemake.iocontainers",
    "scipy.special",
    "anarchy.measure.experiment_point",
    "anarchy.measure.aggregate",
    "anarchy.artefact.tables.experiments",
    "anarchy.artefact.figures.experiments",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
)
"""What simulates, measures and draws: most jobs need some of it."""

LATER = ("anarchy.serving.compiled.run", "scipy.optimize", "scipy.stats")
"""What takes as long to import as all of that and not every build needs: once a script has had to,
those that come after it find it imported."""

LONGEST_PATH = 4096

_PYTHON = sys.executable  # as long as nobody has quoted it for a shell
_starting = Lock()


def run_forked(script: str) -> None:
    """Run a Python script in a process of its own and wait for it; threads may do so at once.

    Raises CalledProcessError unless it exits with code 0.
    """
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as answer:
        try:
            with _starting:
                server = _server()
            socket.send_fds(server, [os.fsencode(script)], [writing])
        finally:
            os.close(writing)
        # Nothing comes if somebody kills those who should say it.
        code = int(answer.read() or -signal.SIGKILL)
    if code:
        raise subprocess.CalledProcessError(code, [_PYTHON, script])


@cache
def _server() -> socket.socket:
    """The way to the process that forks, started for the first script; forks lose its threads."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        number = theirs.fileno()
        command = [_PYTHON, "-P", "-m", "anarchy.build_forks", str(number)]
        subprocess.Popen(
            command,
            env=os.environ | dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
            stdin=subprocess.DEVNULL,
            pass_fds=[number],
        )
    return ours


def serve(connection: socket.socket) -> None:
    """Fork for each script that comes, until nobody can send one any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the jobs get it, and who started them
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody need wait for a fork
    collect_rarely()
    for name in PRELOADED:
        with suppress(Exception):  # whoever needs it says what is wrong with it
            importlib.import_module(name)
    needed, needing = os.pipe()
    os.set_blocking(needed, False)
    while True:
        script, answers, _, _ = socket.recv_fds(connection, LONGEST_PATH, 1)
        if not script:
            return
        _import_needed(needed)
        gc.freeze()  # a fork that looked through all this would copy it
        if os.fork() == 0:
            connection.close()
            _watch(os.fsdecode(script), answers[0], needing)
        os.close(answers[0])


def _import_needed(needed: int) -> None:
    """Import those of `LATER` that scripts have needed since the last look: their places come."""
    with suppress(BlockingIOError):
        for place in set(os.read(needed, 4096)):
            with suppress(Exception):
                importlib.import_module(LATER[place])


def _watch(script: str, answer: int, needing: int) -> NoReturn:
    """Run a script in a fork and tell its exit code; minus the signal's number if one ended it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    job = os.fork()
    if job == 0:
        os.close(answer)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _run(script, needing)
    _, status = os.waitpid(job, 0)
    os.write(answer, str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _run(script: str, needing: int | None = None) -> NoReturn:
    """Run a script as Python would, but without taking down what has been imported.

    The places in `LATER` of what it needed go into the pipe `needing`.
    """
    code = 1
    try:
        runpy.run_path(script, run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            print(f"{error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        else:
            traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        if needing is not None:
            os.write(needing, bytes(i for i, name in enumerate(LATER) if name in sys.modules))
        os._exit(code)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as from_build:
        serve(from_build)
