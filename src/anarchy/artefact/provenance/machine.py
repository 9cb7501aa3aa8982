"""The machine and the software that a build runs on."""

import os
import platform
import re
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from pydantic import Field

from anarchy.config.base import Model


class Machine(Model):
    """What the record of a build says of the machine: nothing that names it."""

    platform: str
    python: str
    cpu: str = Field(description="the model as the system calls it, or its architecture")
    cores: int = Field(ge=1, description="that this build may use")
    memory_gib: float = Field(gt=0)


def this_machine() -> Machine:
    """The machine that this process runs on."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        platform=platform.platform(),
        python=platform.python_version(),
        cpu=_cpu(),
        cores=_cores(),
        memory_gib=round(memory / 2**30, 1),
    )


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    return model[1] if model else platform.processor() or platform.machine()


@cache
def versions() -> dict[str, str]:
    """The version of every installed package, by its name in lower case with dashes."""
    known = [d.metadata for d in distributions()]
    found = {re.sub(r"[-_.]+", "-", m["Name"]).lower(): m["Version"] for m in known}
    return dict(sorted(found.items()))
