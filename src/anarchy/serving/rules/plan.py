"""A plan: where requests go, whatever the router's policy.

It has a row for each of the first requests in order of arrival: the prefill and the decode worker,
or POLICY where the policy decides. What is beyond its rows the policy decides, too.
"""

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario

Ints = NDArray[np.int64]

POLICY = -1

NO_PLAN: Ints = np.empty((0, 2), np.int64)


def check_plan(plan: Ints, scenario: Scenario) -> None:
    """Refuse a plan that names workers which are not there, or may not be there when it is time."""
    if not len(plan):
        return
    topology = scenario.topology
    workers = np.array([topology.prefill, topology.decode])
    if plan.ndim != 2 or plan.shape[1] != len(workers) or plan.dtype != np.int64:
        raise InputError(
            "plan: rows of two whole numbers are wanted, a prefill and a decode worker"
        )
    if ((plan < POLICY) | (plan >= workers)).any():
        raise InputError(f"plan: workers are 0 to {workers[0] - 1} and 0 to {workers[1] - 1}")
    if scenario.planner.rule != "none" or scenario.outages:
        raise InputError("plan: not for pools whose workers come and go")
