"""Compute the table of reference bounds."""

from anarchy.files import write_rows
from anarchy.games.bounds import bounds_rows

write_rows(snakemake.output[0], bounds_rows())
