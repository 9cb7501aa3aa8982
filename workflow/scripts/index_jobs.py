"""Write down which job makes which file, and what of."""

from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0], snakemake.output):
    write_rows(snakemake.output[0], snakemake.params.rows)
