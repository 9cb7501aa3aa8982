"""Tabulate the best estimators of a study, and how many meet each published property."""

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
    write_text(snakemake.output.members, members_table(name, study, members, curves))
    write_text(snakemake.output.thermometer, thermometer_table(name, study, members))
    write_text(snakemake.output.properties, properties_table(name, study, summary))
