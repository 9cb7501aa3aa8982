"""Say what is in a registered trace: requests, rate, lengths, prefix reuse."""

from pathlib import Path

from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log
from anarchy.config.settings import TraceSource
from anarchy.workload.trace_facts import describe_trace
from anarchy.workload.traces import read_trace

with job_log(snakemake.log[0], snakemake.output):
    source = TraceSource.model_validate(snakemake.params.source)
    trace = read_trace(Path(snakemake.input.trace), source.format, source.sha256)
    write_rows(snakemake.output[0], describe_trace(trace))
