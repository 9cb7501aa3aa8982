"""Compute the table of reference bounds."""

from anarchy.files import write_rows
from anarchy.games.bounds import bounds_rows
from anarchy.jobs import job_log

with job_log(snakemake.log[0]):
    write_rows(snakemake.output[0], bounds_rows())
