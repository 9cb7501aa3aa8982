"""Join the knees of a study's scenarios and mark the feasible combinations."""

from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.config.experiment import KneeMap
from anarchy.config.scenario import Scenario
from anarchy.measure.knee_map import fact_rows, feasible_set, summary_rows

with job_log(snakemake.log[0]):
    study = KneeMap.model_validate(snakemake.params.study)
    scenarios = {
        name: Scenario.model_validate(data) for name, data in snakemake.params.scenarios.items()
    }
    rows = [row for path in snakemake.input.knees for row in read_rows(path)]
    feasible = feasible_set(study, rows, scenarios)
    write_rows(snakemake.output.knees, rows)
    write_rows(snakemake.output.feasible, feasible)
    write_rows(snakemake.output.facts, fact_rows(study, rows, feasible))
    write_rows(snakemake.output.summary, summary_rows(study, rows, feasible))
