"""Tabulate and plot the models with the service times of measured GPUs."""

from pathlib import Path

from anarchy.artefact.figures.silicon import plot_silicon
from anarchy.artefact.tables.silicon import silicon_table
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log
from anarchy.config.silicon import Silicon

with job_log(snakemake.log[0], snakemake.output):
    silicon = Silicon.model_validate(snakemake.params.silicon)
    rows = read_rows(snakemake.input.rows)
    write_text(snakemake.output.table, silicon_table(silicon, rows))
    plot_silicon(silicon, rows, Path(snakemake.output.pdf).with_suffix(""))
