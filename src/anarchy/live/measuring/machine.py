"""The machine that measures: what it is, and how much of it is free."""

import os
import platform
import re
from pathlib import Path
from typing import NamedTuple

_STAT, _CPUINFO, _MEMINFO = (Path("/proc") / name for name in ("stat", "cpuinfo", "meminfo"))

_FREE = (1, 3, 4)
"""Columns of /proc/stat that anybody may have: work of lower priority, idle, waiting for a disk."""

_COLUMNS = 8
"""Columns that add up to the time that has passed; guests are in others already."""


class ProcessorTime(NamedTuple):
    """Time of all processors since the machine started, in ticks."""

    free: int  # idle, or at work that gives way
    total: int

    def free_share(self, earlier: "ProcessorTime") -> float:
        """The share that was free since then; 1 if no time has passed."""
        passed = self.total - earlier.total
        return (self.free - earlier.free) / passed if passed else 1.0


def processor_time(stat: Path = _STAT) -> ProcessorTime:
    """Read the clock of the processors."""
    line = stat.read_text(encoding="ascii").splitlines()[0]
    ticks = [int(column) for column in line.split()[1 : 1 + _COLUMNS]]
    return ProcessorTime(sum(ticks[column] for column in _FREE), sum(ticks))


def in_words(cpuinfo: Path = _CPUINFO, meminfo: Path = _MEMINFO) -> str:
    """The machine in words: its processors and memory."""
    lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    memory = int(meminfo.read_text(encoding="ascii").split()[1]) / 1024**2
    model = re.sub(r"\((R|TM)\)", "", models[0]) if models else platform.machine()
    return f"{os.cpu_count()} processors ({model}), {memory:.0f} GiB of memory, no GPU"
