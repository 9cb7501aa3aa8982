"""Compare every theorem of the paper with a solver on its instances."""

from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log
from anarchy.measure.theorem_checks import THEOREMS

with job_log(snakemake.log[0], snakemake.output):
    most = snakemake.params.most
    write_rows(snakemake.output[0], [row for t in THEOREMS for row in t.check_rows(most)])
