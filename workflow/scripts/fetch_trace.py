"""Download a registered trace; one that is already there is only checked."""

import sys
from pathlib import Path

from anarchy.common.errors import InputError
from anarchy.config.settings import TraceSource
from anarchy.workload.trace_files import fetch_trace
from anarchy.workload.traces import read_bytes

source = TraceSource.model_validate(snakemake.params.source)
target = Path(snakemake.output[0])
try:
    if target.is_file():
        read_bytes(target, source.sha256)
    else:
        fetch_trace(source, target.parent)
except InputError as error:
    sys.exit(f"anarchy: {error}")
