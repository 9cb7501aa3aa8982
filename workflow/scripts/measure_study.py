"""Join what the jobs of a study found, and say what it comes to."""

from functools import partial

from anarchy.common import paths
from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.config.experiment import KneeMap
from anarchy.config.scenario import Scenario
from anarchy.measure.knee.map_limits import gain_rows, host_rows, limit_rows
from anarchy.measure.knee.map_results import fact_rows, summary_rows, variant_rows, whole_map
from anarchy.serving.service_times.lookup import load_service_times

with job_log(snakemake.log[0], snakemake.output):
    study = KneeMap.model_validate(snakemake.params.study)
    scenarios = {
        name: Scenario.model_validate(data) for name, data in snakemake.params.scenarios.items()
    }
    rows = whole_map(study, [row for path in snakemake.input.knees for row in read_rows(path)])
    given = (study, scenarios, partial(load_service_times, paths.LATENCY))
    write_rows(snakemake.output.knees, rows)
    write_rows(snakemake.output.facts, fact_rows(study, rows))
    write_rows(snakemake.output.summary, [*summary_rows(study, rows), *gain_rows(*given)])
    write_rows(snakemake.output.limits, limit_rows(*given))
    write_rows(snakemake.output.hosts, [*host_rows(*given), *variant_rows(study, rows)])
