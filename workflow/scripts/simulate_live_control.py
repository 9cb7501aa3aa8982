"""Simulate the controlled runs that were measured live."""

from anarchy.common import paths
from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.config.live import ControlledRun
from anarchy.measure.validation.live.controlled_runs import simulate_controlled_runs
from anarchy.measure.validation.live.simulated import Runs

with job_log(snakemake.log[0], snakemake.output):
    rows = simulate_controlled_runs(
        [ControlledRun.model_validate(run) for run in snakemake.params.runs],
        read_rows(snakemake.input.measured),
        paths.LATENCY,
        Runs(**snakemake.params.repeated),
    )
    write_rows(snakemake.output[0], rows)
