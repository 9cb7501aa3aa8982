"""Tabulate the scenarios and what was assumed in them."""

from anarchy.artefact.tables.studies import assumption_table, scenario_table
from anarchy.common.files import write_text
from anarchy.common.jobs import job_log
from anarchy.config.scenario import Scenario

with job_log(snakemake.log[0], snakemake.output):
    scenarios = {
        name: Scenario.model_validate(data) for name, data in snakemake.params.scenarios.items()
    }
    write_text(snakemake.output.assumptions, assumption_table(scenarios))
    write_text(snakemake.output.scenarios, scenario_table(scenarios))
