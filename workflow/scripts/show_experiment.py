"""Draw an experiment, and tabulate its points, knees, comparison and spread.

A table that it has not stays empty.
"""

from pathlib import Path

from anarchy.artefact.figures.experiments import plot_experiment
from anarchy.artefact.tables.experiments import (
    comparison_table,
    experiment_table,
    knee_table,
    spread_table,
)
from anarchy.common.files import read_rows, write_text
from anarchy.common.jobs import job_log
from anarchy.config.experiment import Experiment

with job_log(snakemake.log[0], snakemake.output):
    name = snakemake.wildcards.experiment
    experiment = Experiment.model_validate(snakemake.params.experiment)
    measures, knees, compare, spread = (
        read_rows(snakemake.input[kind]) for kind in ("measures", "knees", "compare", "spread")
    )
    plot_experiment(name, experiment, measures, knees, Path(snakemake.output.pdf).with_suffix(""))
    for table, wanted, rows, target in (
        (experiment_table, True, measures, snakemake.output.points),
        (knee_table, experiment.knee, knees, snakemake.output.knees),
        (comparison_table, experiment.compare, compare, snakemake.output.compare),
        (spread_table, experiment.spread, spread, snakemake.output.spread),
    ):
        write_text(target, table(name, experiment, rows) if wanted else "")
