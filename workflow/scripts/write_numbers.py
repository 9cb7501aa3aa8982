"""Write the macros of all numbers in the paper's text."""

from pathlib import Path

from anarchy.artefact.numbers import write_numbers
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0], snakemake.output):
    write_numbers(
        [Path(path) for path in snakemake.input.declared],
        Path(snakemake.params.results),
        Path(snakemake.output[0]),
        {file: Path(path) for file, path in snakemake.params.committed.items()},
        snakemake.params.coarse,
        snakemake.params.left_out,
    )
