"""What every workflow script does around its work: messages into the log, faults in one line."""

import json
import resource
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from anarchy.common.errors import InputError


@contextmanager
def job_log(path: str, made: Iterable[str] = ()) -> Iterator[None]:
    """Send everything printed within to the job's log, and end it with what the job took.

    `made` are the job's outputs. A fault ends in the log too, bad input as its one line and
    anything else with its traceback, and the job exits with code 2 or 1.
    """
    started, start_up = time.time(), time.process_time()
    with Path(path).open("w", encoding="utf-8") as log:
        try:
            with redirect_stdout(log), redirect_stderr(log):
                yield
        except InputError as error:
            print(error, file=log)
            sys.exit(2)
        except Exception:
            traceback.print_exc(file=log)
            sys.exit(1)
        print(json.dumps(_took(started, start_up) | {"made": list(map(str, made))}), file=log)


def _took(started: float, start_up: float) -> dict[str, float]:
    """Start (seconds since 1970), seconds of wall clock and of CPU, MiB at most, of this process.

    What it waited for as its children counts too. Python's own start and the imports came before
    anybody watched the clock: they are taken to have lasted as long as the CPU was busy with them.
    """
    now, cpu = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "started": round(started - start_up, 2),
        "wall_s": round(now - started + start_up, 2),
        "cpu_s": round(time.process_time() + cpu.ru_utime + cpu.ru_stime, 2),
        "peak_mib": round(max(_own_peak(), cpu.ru_maxrss / _MAXRSS_PER_MIB), 1),
    }


_MAXRSS_PER_MIB = 2**20 if sys.platform == "darwin" else 2**10


def _own_peak() -> float:
    """MiB of memory that this process had at most.

    Linux lets the `ru_maxrss` of a program begin with that of the one that started it, here
    Snakemake's, so its own is read elsewhere.
    """
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MAXRSS_PER_MIB
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) / 2**10
