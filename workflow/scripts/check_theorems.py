"""Compare every theorem of the paper with a solver on its instances."""

from anarchy.files import write_rows
from anarchy.games.theorems import allocation, coupling, placement, plateau, potential, saturation
from anarchy.jobs import job_log
from anarchy.measure import counterexamples

THEOREMS = (plateau, saturation, potential, placement, allocation, coupling, counterexamples)

with job_log(snakemake.log[0]):
    write_rows(snakemake.output[0], [row for t in THEOREMS for row in t.check_rows()])
