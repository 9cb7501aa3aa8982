"""Tabulate the comparison with Dynamo."""

from anarchy.artefact.tables.dynamo import dynamo_tables
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0], snakemake.output):
    write_text(snakemake.output[0], dynamo_tables(read_rows(snakemake.input.rows)))
