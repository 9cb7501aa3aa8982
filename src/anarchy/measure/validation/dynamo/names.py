"""The words that those who measure and those who judge share."""

from typing import Literal, get_args

DYNAMO, OURS, DEFAULT = "dynamo", "ours", "dynamo-default"
"""Sides: the replay, our simulator, and the replay with its default step times."""

Difference = Literal["equal", "rounding", "step", "other"]
"""Classes of requests, by how they differ; see `per_request`."""

CLASSES: tuple[Difference, ...] = get_args(Difference)
