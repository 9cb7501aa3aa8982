"""The modules that check the theorems of the paper, in its order: all, and nothing twice."""

from anarchy.games.theorems import (
    allocation,
    coupling,
    delayed_planner,
    plateau,
    potential,
)
from anarchy.games.theorems.placement import theorems as placement
from anarchy.games.theorems.queueing import (
    dispatchers,
    places,
    prefixes,
    relays,
    saturation,
    staleness,
)
from anarchy.games.theorems.stages import theorems as stages
from anarchy.games.theorems.windows import theorems as windows
from anarchy.measure import counterexamples

THEOREMS = (
    plateau,
    windows,
    stages,
    saturation,
    prefixes,
    dispatchers,
    places,
    staleness,
    relays,
    potential,
    placement,
    allocation,
    coupling,
    delayed_planner,
    counterexamples,
)
"""Each has `check_rows(most)`: a row for each check, at most so many of a family."""
