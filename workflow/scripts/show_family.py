"""Draw and tabulate the estimators of a study: the best, the published facts, what they read."""

from pathlib import Path

from anarchy.artefact.figures.estimators import plot_estimators
from anarchy.artefact.figures.thermometer import plot_thermometer
from anarchy.artefact.tables.estimators import members_table, properties_table, thermometer_table
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log
from anarchy.config.estimator import EstimatorStudy

with job_log(snakemake.log[0], snakemake.output):
    name = snakemake.wildcards.study
    study = EstimatorStudy.model_validate(snakemake.params.study)
    members = read_rows(snakemake.input.members)
    curves = read_rows(snakemake.input.curves)
    summary = read_rows(snakemake.input.summary)
    readings = read_rows(snakemake.input.thermometer)
    plot_estimators(study, curves, Path(snakemake.output.pdf).with_suffix(""))
    plot_thermometer(study, readings, Path(snakemake.output.thermometer_pdf).with_suffix(""))
    write_text(snakemake.output.members, members_table(name, study, members, curves))
    write_text(snakemake.output.thermometer, thermometer_table(name, study, members))
    write_text(snakemake.output.properties, properties_table(name, study, summary))
