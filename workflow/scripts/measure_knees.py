"""The knee interval of each scenario of a load sweep, beside the operational bound."""

from anarchy import paths
from anarchy.config import Experiment, Scenario
from anarchy.files import read_rows, write_rows
from anarchy.jobs import job_log
from anarchy.measure.kneemap import knee_rows
from anarchy.serving.latency import load_latency

with job_log(snakemake.log[0]):
    experiment = Experiment.model_validate(snakemake.params.experiment)
    scenarios = {
        name: Scenario.model_validate(data) for name, data in snakemake.params.scenarios.items()
    }
    latencies = {
        name: load_latency(paths.LATENCY, scenario.model.latency)
        for name, scenario in scenarios.items()
    }
    rows = knee_rows(experiment, read_rows(snakemake.input.measures), scenarios, latencies)
    write_rows(snakemake.output[0], rows)
