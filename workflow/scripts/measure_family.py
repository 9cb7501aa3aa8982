"""Simulate one replication of a scenario of a study and measure it by every estimator."""

import numpy as np

from anarchy.common import paths
from anarchy.common.files import atomic
from anarchy.common.jobs import job_log
from anarchy.config.estimator import EstimatorStudy
from anarchy.config.scenario import Scenario
from anarchy.measure.estimators.members import measure_family
from anarchy.serving.service_times.lookup import load_service_times

with job_log(snakemake.log[0], snakemake.output):
    study = EstimatorStudy.model_validate(snakemake.params.study)
    scenario = Scenario.model_validate(snakemake.params.scenario)
    numbers = measure_family(
        study,
        scenario,
        load_service_times(paths.LATENCY, scenario.model),
        seed=snakemake.params.seed,
        replication=int(snakemake.wildcards.part),
        requests=study.requests or snakemake.params.requests,
        warmup_cycles=snakemake.params.warmup_cycles,
    )
    with atomic(snakemake.output[0]) as temporary, temporary.open("wb") as file:
        np.save(file, numbers)
