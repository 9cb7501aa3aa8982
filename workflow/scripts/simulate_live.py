"""Simulate some of the points that were measured live."""

from anarchy.common import paths
from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.config.live import LivePoint
from anarchy.measure.validation.live.simulated import Runs, simulate_points

with job_log(snakemake.log[0], snakemake.output):
    rows = simulate_points(
        [LivePoint.model_validate(point) for point in snakemake.params.points],
        LivePoint.model_validate(snakemake.params.alone),
        read_rows(snakemake.input.measured),
        paths.LATENCY,
        Runs(**snakemake.params.runs),
    )
    write_rows(snakemake.output[0], rows)
