"""Find the knee of one scenario for every combination of a study's axes."""

from functools import partial

from anarchy.common import paths
from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log
from anarchy.config.experiment import KneeMap, combinations
from anarchy.config.scenario import Scenario
from anarchy.measure.knee_map import map_knees
from anarchy.serving.service_times.lookup import load_service_times

with job_log(snakemake.log[0]):
    study = KneeMap.model_validate(snakemake.params.study)
    rows = map_knees(
        study,
        snakemake.wildcards.scenario,
        Scenario.model_validate(snakemake.params.scenario),
        partial(load_service_times, paths.LATENCY),
        combinations(study.axes),
        requests=study.requests or snakemake.params.requests,
        warmup_cycles=snakemake.params.warmup_cycles,
        seed=snakemake.params.seed,
    )
    write_rows(snakemake.output[0], rows)
