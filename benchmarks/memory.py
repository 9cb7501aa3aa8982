"""Peak memory of whole runs, each in a process of its own; what is imported is in all of them."""

from anarchy.common.errors import InputError
from anarchy.common.files import Row
from anarchy.measure.validation.dynamo.replay import load_dynamo
from anarchy.serving.compiled.core.compile import compile_all
from benchmarks.measuring import Effort, Say, in_child, row
from benchmarks.subjects import CLOSED_LOOPS, trace_file


def measure(effort: Effort, say: Say) -> list[Row]:
    """Bytes; the log of every run is kept in memory."""
    loop = {
        "name": "70b-1p2d",
        "changes": {"workload.clients": CLOSED_LOOPS["70b-1p2d"]},
        "trace": False,
    }
    trace = {"requests": effort.trace_rows or 0, "changes": {}, "trace": True}
    runs = {
        "imports": ("nothing run, only imports", "imports", {}),
        "closed_loop": (
            f"70b-1p2d, {effort.requests:,} requests, kernel",
            "run",
            {**loop, "requests": effort.requests, "simulator": "compiled"},
        ),
        "closed_loop_simpy": (
            f"70b-1p2d, {effort.reference_requests:,} requests, SimPy",
            "run",
            {**loop, "requests": effort.reference_requests, "simulator": "reference"},
        ),
    }
    try:
        trace_file("mooncake-conversation")
        runs["mooncake_plain"] = (
            "mooncake-8p8d",
            "run",
            {**trace, "name": "mooncake-8p8d", "simulator": "auto"},
        )
        runs["mooncake"] = (
            "oracle-8p8d",
            "run",
            {**trace, "name": "oracle-8p8d", "simulator": "auto"},
        )
        load_dynamo()
        runs["dynamo_replay"] = (
            "Dynamo's replay of the same",
            "replay",
            {"rows": effort.trace_rows},
        )
    except InputError as fault:
        say(f"some are left out: {fault}")
    compile_all(say)  # or the first run would, which takes memory too
    rows = []
    for id, (what, task, arguments) in runs.items():
        say(what)
        report, _ = in_child(task, **arguments)
        rows.append(row(f"memory.{id}", [report["peak"]], "bytes", "none", what))
    return rows
