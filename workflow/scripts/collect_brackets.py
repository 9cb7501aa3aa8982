"""Collect what the runs of all experiments that measure it have lost."""

from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.measure.bracket.summary import extreme_rows, largest_rows, summary_rows


def collect_brackets() -> None:
    rows = []
    experiments = snakemake.params.experiments.items()
    for (name, keys), path in zip(experiments, snakemake.input.experiments, strict=True):
        rows += summary_rows(name, keys, read_rows(path))
    write_rows(snakemake.output.brackets, rows)
    write_rows(snakemake.output.extremes, extreme_rows(rows))
    write_rows(snakemake.output.largest, largest_rows(rows))


with job_log(snakemake.log[0], snakemake.output):
    collect_brackets()
