"""Tabulate the ledger of all published claims."""

from anarchy.artefact.tables.claims import claims_table
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0]):
    write_text(snakemake.output[0], claims_table(read_rows(snakemake.input.rows)))
