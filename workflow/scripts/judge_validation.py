"""Judge all groups of the validation suite together."""

from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.measure.validation.checks import judge

with job_log(snakemake.log[0], snakemake.output):
    write_rows(
        snakemake.output[0],
        judge([row for path in snakemake.input.groups for row in read_rows(path)]),
    )
