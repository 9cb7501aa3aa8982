"""Tabulate the comparison with Dynamo."""

from anarchy.artefact.dynamo_table import dynamo_tables
from anarchy.files import read_rows, write_text
from anarchy.jobs import job_log

with job_log(snakemake.log[0]):
    write_text(snakemake.output[0], dynamo_tables(read_rows(snakemake.input.rows)))
