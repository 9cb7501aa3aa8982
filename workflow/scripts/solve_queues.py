"""Compute the price of anarchy of parallel M/M/1 servers against their load."""

from fractions import Fraction

from anarchy.files import write_rows
from anarchy.games.bounds import mm1_curve_rows
from anarchy.jobs import job_log

# One set of servers per curve; equal servers are the control, whose ratio is 1 at every load.
SERVICE_RATES = ([4, 1], [9, 4, 1], [16, 1, 1], [1, 1])

# Percent by percent, and close to capacity, where the curves settle on their limit.
LOADS = [Fraction(percent, 100) for percent in range(1, 100)] + [
    Fraction(1) - Fraction(1, 10**digits) for digits in (3, 4, 5)
]

with job_log(snakemake.log[0]):
    rows = [row for rates in SERVICE_RATES for row in mm1_curve_rows(rates, LOADS)]
    write_rows(snakemake.output[0], rows)
