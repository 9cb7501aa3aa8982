"""Tabulate the checks of the theorems."""

from anarchy.artefact.reference_tables import theorems_table
from anarchy.files import read_rows, write_text
from anarchy.jobs import job_log

with job_log(snakemake.log[0]):
    write_text(snakemake.output[0], theorems_table(read_rows(snakemake.input.rows)))
