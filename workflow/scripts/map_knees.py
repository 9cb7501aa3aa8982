"""Decide a share of a study's combinations: where the knees of its scenarios are."""

from functools import partial

from anarchy.common import paths
from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log
from anarchy.config.experiment import KneeMap
from anarchy.config.scenario import Scenario
from anarchy.measure.knee.knee_map import map_knees
from anarchy.serving.service_times.lookup import load_service_times

with job_log(snakemake.log[0], snakemake.output):
    study = KneeMap.model_validate(snakemake.params.study)
    scenarios = {
        name: Scenario.model_validate(data) for name, data in snakemake.params.scenarios.items()
    }
    rows = map_knees(
        study,
        scenarios,
        partial(load_service_times, paths.LATENCY),
        int(snakemake.wildcards.part),
        requests=study.requests or snakemake.params.requests,
        warmup_cycles=snakemake.params.warmup_cycles,
        seed=snakemake.params.seed,
    )
    write_rows(snakemake.output[0], rows)
