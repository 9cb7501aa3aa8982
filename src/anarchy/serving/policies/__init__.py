"""The routing policies that come with the package, grouped by what they look at.

Importing the package registers them: `blind` looks at nothing, `load` at load only, `overlap`
weighs cached prefixes against load, `predictive` predicts seconds, `assignment` decides for
several requests at once.
"""

from anarchy.serving.policies import assignment, blind, load, overlap, predictive

__all__ = ["assignment", "blind", "load", "overlap", "predictive"]
