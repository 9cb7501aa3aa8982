"""Paired differences of an experiment's cells to its baseline."""

from anarchy.config import Bootstrap, Experiment
from anarchy.files import read_rows, write_rows
from anarchy.jobs import job_log
from anarchy.measure.aggregate import compare
from anarchy.measure.cell import compare_logs
from anarchy.serving.log import read_log

with job_log(snakemake.log[0]):
    experiment = Experiment.model_validate(snakemake.params.experiment)
    rows = [read_rows(path) for path in snakemake.input.cells]
    keys = ["scenario", *experiment.sweep]
    if snakemake.input.logs:
        logs = [read_log(path) for path in snakemake.input.logs]
        compared = compare_logs(
            list(zip(rows, logs, strict=True)),
            keys,
            experiment.compare,
            Bootstrap.model_validate(snakemake.params.bootstrap),
            snakemake.params.seed,
        )
    else:
        flat = [row for cell in rows for row in cell]
        compared = compare(
            flat,
            keys,
            experiment.compare.field,
            experiment.compare.baseline,
            experiment.compare.measures,
        )
    write_rows(snakemake.output[0], compared)
