"""Run the source's models with the service times of measured GPUs."""

from functools import partial
from pathlib import Path

from anarchy.common import paths
from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log
from anarchy.config.scenario import Scenario
from anarchy.config.silicon import Silicon, deployments
from anarchy.measure.silicon.cells import cell_rows
from anarchy.measure.silicon.comparison import comparison_rows, summary_rows
from anarchy.serving.service_times.lookup import load_service_times

with job_log(snakemake.log[0], snakemake.output):
    silicon = Silicon.model_validate(snakemake.params.silicon)
    scenarios = {
        name: Scenario.model_validate(given) for name, given in snakemake.params.scenarios.items()
    }
    deployed = list(deployments(silicon, scenarios, str(paths.SILICON)))
    rows = comparison_rows(
        silicon,
        deployed,
        partial(load_service_times, paths.LATENCY),
        requests=min(silicon.requests, snakemake.params.requests),
        warmup_cycles=snakemake.params.warmup_cycles,
        seed=snakemake.params.seed,
    )
    write_rows(snakemake.output.comparison, rows)
    write_rows(snakemake.output.summary, summary_rows(rows))
    write_rows(snakemake.output.cells, cell_rows(deployed, paths.LATENCY, Path()))
