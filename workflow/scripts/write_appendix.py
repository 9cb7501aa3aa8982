"""Write the appendix: a page for every experiment."""

from pathlib import Path

from anarchy.artefact.appendix import write_appendix
from anarchy.common.jobs import job_log
from anarchy.config.experiment import Experiment

with job_log(snakemake.log[0], snakemake.output):
    experiments = {
        name: Experiment.model_validate(data) for name, data in snakemake.params.experiments.items()
    }
    write_appendix(experiments, Path(snakemake.output[0]))
