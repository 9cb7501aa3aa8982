"""Compute the table of reference bounds."""

from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log
from anarchy.games.poa_table import bounds_rows

with job_log(snakemake.log[0], snakemake.output):
    write_rows(snakemake.output[0], bounds_rows())
