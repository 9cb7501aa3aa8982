"""Simulate and measure one cell of an experiment."""

from pathlib import Path

from anarchy import paths
from anarchy.config import Trace
from anarchy.files import write_rows
from anarchy.jobs import job_log
from anarchy.measure.cell import CellJob, measure_cell
from anarchy.serving.log import write_log
from anarchy.serving.router import load_plugin
from anarchy.traces import load_trace


def simulate_cell() -> None:
    job = CellJob.model_validate(snakemake.params.job)
    for plugin in job.plugins:
        load_plugin(Path(plugin))
    recorded = isinstance(job.scenario.workload, Trace)
    trace = load_trace(Path(snakemake.input.trace)) if recorded else None
    rows, log = measure_cell(job, paths.LATENCY, trace)
    write_log(snakemake.output.log, log)
    write_rows(snakemake.output.measures, rows)


with job_log(snakemake.log[0]):
    simulate_cell()
