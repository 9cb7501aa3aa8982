"""Find the knee of one scenario for every combination of a study's axes."""

from functools import partial

from anarchy import paths
from anarchy.config import KneeMap, Scenario, combinations
from anarchy.files import write_rows
from anarchy.jobs import job_log
from anarchy.measure.kneemap import map_knees
from anarchy.serving.latency import load_latency

with job_log(snakemake.log[0]):
    study = KneeMap.model_validate(snakemake.params.study)
    rows = map_knees(
        study,
        snakemake.wildcards.scenario,
        Scenario.model_validate(snakemake.params.scenario),
        partial(load_latency, paths.LATENCY),
        combinations(study.axes),
        requests=study.requests or snakemake.params.requests,
        warmup_cycles=snakemake.params.warmup_cycles,
        seed=snakemake.params.seed,
    )
    write_rows(snakemake.output[0], rows)
