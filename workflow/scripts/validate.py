"""Run one group of the validation suite."""

from anarchy.common import paths
from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log
from anarchy.config.scenario import Scenario
from anarchy.measure.validation.suite import check_group
from anarchy.serving.service_times.lookup import load_service_times

with job_log(snakemake.log[0], snakemake.output):
    scenarios = {
        name: Scenario.model_validate(given) for name, given in snakemake.params.scenarios.items()
    }
    tables = {
        name: load_service_times(paths.LATENCY, scenario.model)
        for name, scenario in scenarios.items()
    }
    write_rows(
        snakemake.output[0],
        check_group(
            snakemake.wildcards.group,
            snakemake.params.seed,
            snakemake.params.effort,
            scenarios,
            tables,
        ),
    )
