"""Tabulate the feasible settings of a knee study."""

from anarchy.artefact.tabulation import feasible_table
from anarchy.config import KneeMap
from anarchy.files import read_rows, write_text
from anarchy.jobs import job_log

with job_log(snakemake.log[0]):
    study = KneeMap.model_validate(snakemake.params.study)
    rows = read_rows(snakemake.input.feasible)
    write_text(snakemake.output[0], feasible_table(snakemake.wildcards.study, study, rows))
