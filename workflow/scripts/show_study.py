"""Draw a knee study, and tabulate the settings that it allows and the facts that these meet."""

from pathlib import Path

from anarchy.artefact.figures.knee_map import plot_knee_map
from anarchy.artefact.tables.studies import facts_table, feasible_table
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log
from anarchy.config.experiment import KneeMap

with job_log(snakemake.log[0], snakemake.output):
    name = snakemake.wildcards.study
    study = KneeMap.model_validate(snakemake.params.study)
    knees = read_rows(snakemake.input.knees)
    limits = read_rows(snakemake.input.limits)
    facts = read_rows(snakemake.input.facts)
    plot_knee_map(study, knees, limits, Path(snakemake.output.pdf).with_suffix(""))
    write_text(snakemake.output.feasible, feasible_table(name, study, knees, limits))
    write_text(snakemake.output.facts, facts_table(name, study, facts) if facts else "")
