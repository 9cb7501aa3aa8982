"""Tabulate the ledger of all published claims, what is ruled out, and what gives the changes."""

from anarchy.artefact.tables.claims import claims_table
from anarchy.artefact.tables.rule_outs import mechanisms_table, pairs_table
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0], snakemake.output):
    write_text(snakemake.output.claims, claims_table(read_rows(snakemake.input.claims)))
    write_text(snakemake.output.pairs, pairs_table(read_rows(snakemake.input.pairs)))
    rows = read_rows(snakemake.input.mechanisms)
    write_text(snakemake.output.mechanisms, mechanisms_table(rows))
