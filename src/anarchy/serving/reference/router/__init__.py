"""The router: dispatchers, what they know of the workers' loads, and the routing policies.

Importing the package registers the policies: `random` looks at nothing, `load` at load only,
`sampled` at the load of a few, `prefix_aware` weighs cached prefixes against load, `predictive`
predicts seconds, `batch_assignment` decides for several requests at once.
"""

from anarchy.serving.reference.router import (
    batch_assignment,
    load,
    predictive,
    prefix_aware,
    random,
    sampled,
)

__all__ = ["batch_assignment", "load", "predictive", "prefix_aware", "random", "sampled"]
