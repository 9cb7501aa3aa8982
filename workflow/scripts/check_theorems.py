"""Compare every theorem of the paper with a solver on its instances."""

from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log
from anarchy.games.theorems import (
    allocation,
    coupling,
    delayed_planner,
    plateau,
    potential,
)
from anarchy.games.theorems.placement import theorems
from anarchy.games.theorems.queueing import places, prefixes, saturation, staleness
from anarchy.games.theorems.windows import theorems as windows
from anarchy.measure import counterexamples

THEOREMS = (
    plateau,
    windows,
    saturation,
    prefixes,
    places,
    staleness,
    potential,
    theorems,
    allocation,
    coupling,
    delayed_planner,
    counterexamples,
)

with job_log(snakemake.log[0]):
    most = snakemake.params.most
    write_rows(snakemake.output[0], [row for t in THEOREMS for row in t.check_rows(most)])
