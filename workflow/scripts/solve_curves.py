"""Compute the curves of one figure of the theory."""

from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log
from anarchy.games import poa_table
from anarchy.games.theorems import coupling, plateau
from anarchy.games.theorems.placement import theorems
from anarchy.games.theorems.queueing import dispatchers, saturation
from anarchy.games.theorems.windows import theorems as windows

CURVES = {
    "parallel-queues": poa_table.parallel_queues_rows,
    "saturation": saturation.curve_rows,
    "replicas": dispatchers.curve_rows,
    "plateau": plateau.curve_rows,
    "windows": windows.curve_rows,
    "placement": theorems.curve_rows,
    "coupled": coupling.curve_rows,
}

with job_log(snakemake.log[0], snakemake.output):
    write_rows(snakemake.output[0], CURVES[snakemake.wildcards.curve]())
