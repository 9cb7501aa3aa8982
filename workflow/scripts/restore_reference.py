"""Put committed reference values in the place of results whose trace is not to be had."""

import shutil

from anarchy.common.jobs import job_log

with job_log(snakemake.log[0], snakemake.output):
    shutil.copyfile(snakemake.input.reference, snakemake.output[0])
