"""Simulate and measure one cell of an experiment."""

from pathlib import Path

from anarchy import paths
from anarchy.config import TraceSource
from anarchy.files import write_rows
from anarchy.jobs import job_log
from anarchy.measure.cell import CellJob, measure_cell
from anarchy.serving.log import write_log
from anarchy.serving.router import plugins
from anarchy.traces import TraceData, load_trace, read_trace


def given_trace() -> TraceData | None:
    """The job's trace; a registered one in its own format, its bytes checked."""
    if not snakemake.input.trace:
        return None
    path = Path(snakemake.input.trace)
    if snakemake.params.source is None:
        return load_trace(path)
    source = TraceSource.model_validate(snakemake.params.source)
    return read_trace(path, source.format, source.sha256)


with job_log(snakemake.log[0]):
    job = CellJob.model_validate(snakemake.params.job)
    with plugins(map(Path, job.plugins)):
        rows, log = measure_cell(job, paths.LATENCY, given_trace())
    write_log(snakemake.output.log, log)
    write_rows(snakemake.output.measures, rows)
