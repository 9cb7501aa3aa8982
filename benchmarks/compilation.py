"""What the first run costs: compiling, and finding what was compiled, each in fresh processes."""

import tempfile

from anarchy.common.files import Row
from anarchy.serving.compiled.core.compile import compile_all
from benchmarks.measuring import Effort, Say, in_child, row


def measure(effort: Effort, say: Say) -> list[Row]:
    """Processor seconds of imports and of a first run of 100 requests."""
    found: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    for turn in range(effort.compilations):
        say(f"compiling, {turn + 1} of {effort.compilations}")
        with tempfile.TemporaryDirectory() as folder:
            for state in found:
                found[state].append(in_child("first_run", folder=folder)[0])
    if not effort.compilations:
        compile_all(say)  # into the kernel's own cache
        found = {"warm": [in_child("first_run", folder=None)[0] for _ in range(effort.repeats)]}
    texts = {"cold": "nothing compiled yet", "warm": "compiled before"}
    rows = [
        row(
            f"compile.{state}.{clock}_seconds",
            [report[f"run_{clock}"] for report in reports],
            "s",
            "cpu" if clock == "cpu" else "wall",
            f"first run of 100 requests, {texts[state]}",
        )
        for state, reports in found.items()
        for clock in ("cpu", "wall")
    ]
    imports = [report["import_cpu"] for reports in found.values() for report in reports]
    return [
        *rows,
        row(
            "compile.imports.cpu_seconds",
            imports,
            "s",
            "cpu",
            "Python's start, imports and configuration",
        ),
    ]
