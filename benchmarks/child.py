"""What is measured in a process of its own: `python -m benchmarks.child TASK ARGUMENTS`.

Memory, because a process never gives back the most it ever had; and what happens once in a process.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.measuring import peak_memory, spend


def imports() -> dict[str, Any]:
    """Import the simulator and do nothing."""
    from anarchy.serving.compiled import run as system

    return {"module": system.__name__}


def run(
    name: str, requests: int, changes: dict[str, Any], simulator: str, trace: bool
) -> dict[str, Any]:
    """Run once with the log in memory."""
    from benchmarks import subjects

    subject = (
        subjects.recorded(name, requests or None)
        if trace
        else subjects.Subject(name, requests, changes)
    )
    return {"rows": len(subject.run(simulator).log)}  # type: ignore[arg-type]


def stream(name: str, requests: int, changes: dict[str, Any], repeats: int) -> dict[str, Any]:
    """Run several times and keep no rows; the seconds of each, its set-up included."""
    from benchmarks.subjects import Subject

    Subject(name, 100, changes).stream()  # compiles
    subject = Subject(name, requests, changes)
    spent = [spend(subject.stream) for _ in range(repeats)]
    return {"rows": spent[0][0], "cpu": [s.cpu for _, s in spent]}


def replay(rows: int | None) -> dict[str, Any]:
    """Dynamo's replay of the conversation trace."""
    from benchmarks import mooncake

    with mooncake.trace_of(rows) as path:
        result = mooncake.their_run(path, "kv")
    return {"rows": len(result.per_request)}


def first_run(folder: str | None) -> dict[str, Any]:
    """Import the kernel and run it for the first time, its code kept in `folder`."""
    if folder is not None:
        os.environ["NUMBA_CACHE_DIR"] = folder
    from benchmarks.subjects import closed_loop

    loop = closed_loop("70b-1p2d", 100)
    imported = time.process_time()  # since the process began
    _, spent = spend(lambda: loop.run("compiled"))
    return {"import_cpu": imported, "run_cpu": spent.cpu, "run_wall": spent.wall}


TASKS: dict[str, Callable[..., dict[str, Any]]] = {
    task.__name__: task for task in (imports, run, stream, replay, first_run)
}


def main() -> None:
    report = TASKS[sys.argv[1]](**json.loads(sys.argv[2]))
    whole = {"peak": peak_memory(), "process_cpu": time.process_time()}
    print(json.dumps({**report, **whole}))


if __name__ == "__main__":
    main()
