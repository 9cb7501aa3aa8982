"""Run one group of the validation suite."""

from anarchy import paths
from anarchy.config import Scenario
from anarchy.files import write_rows
from anarchy.jobs import job_log
from anarchy.measure.validation.suite import check_group
from anarchy.serving.latency import load_latency

with job_log(snakemake.log[0]):
    scenarios = {
        name: Scenario.model_validate(given) for name, given in snakemake.params.scenarios.items()
    }
    tables = {
        name: load_latency(paths.LATENCY, scenario.model.latency)
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
