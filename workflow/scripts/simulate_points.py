"""Simulate and measure some points of an experiment, whose plugins and trace they share."""

from pathlib import Path

from anarchy.common import paths
from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log
from anarchy.config.settings import TraceSource
from anarchy.measure.experiment_point import PointJob, measure_point
from anarchy.serving.log.request_log import write_log
from anarchy.serving.reference.router.policy import plugins
from anarchy.workload.traces import TraceData, load_trace, read_trace


def given_trace() -> TraceData | None:
    """The job's trace; a registered one in its own format, its bytes checked."""
    if not snakemake.input.trace:
        return None
    path = Path(snakemake.input.trace)
    if snakemake.params.source is None:
        return load_trace(path)
    source = TraceSource.model_validate(snakemake.params.source)
    return read_trace(path, source.format, source.sha256)


def simulate_points() -> None:
    jobs = [PointJob.model_validate(job) for job in snakemake.params.jobs]
    logs, trace, rows = Path(snakemake.output.logs), given_trace(), []
    logs.mkdir()
    with plugins(map(Path, jobs[0].plugins)):
        for job, name in zip(jobs, snakemake.params.names, strict=True):
            measured, log = measure_point(job, paths.LATENCY, trace)
            write_log(logs / f"{name}.parquet", log)
            rows += measured
    write_rows(snakemake.output.measures, rows)


with job_log(snakemake.log[0], snakemake.output):
    simulate_points()
