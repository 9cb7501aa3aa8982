"""Judge all groups of the validation suite together."""

from anarchy.files import read_rows, write_rows
from anarchy.jobs import job_log
from anarchy.measure.validation.judge import judge

with job_log(snakemake.log[0]):
    write_rows(
        snakemake.output[0],
        judge([row for path in snakemake.input.groups for row in read_rows(path)]),
    )
