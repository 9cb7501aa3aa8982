"""Tabulate the reference bounds."""

from anarchy.artefact.tables.studies import bounds_table
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0], snakemake.output):
    write_text(snakemake.output[0], bounds_table(read_rows(snakemake.input.rows)))
