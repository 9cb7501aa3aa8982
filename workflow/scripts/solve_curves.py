"""Compute the curves of one figure of the theory."""

from anarchy.files import write_rows
from anarchy.games import bounds
from anarchy.games.theorems import coupling, placement, plateau, saturation
from anarchy.jobs import job_log

CURVES = {
    "parallel-queues": bounds.parallel_queues_rows,
    "saturation": saturation.curve_rows,
    "plateau": plateau.curve_rows,
    "placement": placement.curve_rows,
    "coupled": coupling.curve_rows,
}

with job_log(snakemake.log[0]):
    write_rows(snakemake.output[0], CURVES[snakemake.wildcards.curve]())
