"""`router` and `controller`: the routing policy, its parameters, and what changes them in a run."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from anarchy.config.base import Count, Duration, Interval, Model, Seconds, Title, Weight, Whole

Share = Annotated[float, Field(gt=0, le=1)]


class Tracking(Model):
    """What a router knows of the workers. The defaults are the truth at once."""

    replicas: Annotated[Whole, Field(ge=1, le=1000)] = Field(
        1, description="routers that share the requests, taking turns"
    )
    event_lag: Seconds = Field(
        0.0,
        description="seconds until the replica that placed a request hears that its prefill or "
        "decode has ended",
    )
    replica_lag: Seconds = Field(
        0.0, description="further seconds until the other replicas hear of placements and ends"
    )
    cache_lag: Seconds = Field(
        0.0, description="seconds until the replicas hear what workers have cached or evicted"
    )
    active_blocks: Literal["per-request", "distinct"] = Field(
        "per-request", description="whether a block that several requests share counts once"
    )
    generated_blocks: bool = Field(
        False,
        description="whether blocks of output count as they are made, for the replica that placed "
        "the request",
    )
    overlooked: Annotated[Whole, Field(ge=0, le=10_000)] = Field(
        0,
        description="how many decode workers, the first ones, no replica keeps account of: each is "
        "weighed as if it had nothing to do",
    )
    unregistered_penalty: bool = Field(
        False,
        description="whether a decode worker that a replica has never heard of is taken to carry "
        "the whole prompt already",
    )


class Router(Model):
    """The routing policy and its parameters."""

    policy: Title = Field("kv", description="a registered policy: see `anarchy list`")
    temperature: Weight = Field(0.0, description="tau; 0 takes the cheapest worker")
    overlap_weight: Weight = Field(1.0, description="omega, the weight of uncached blocks")
    overlap_credit: Weight = Field(
        1.0, description="kv-1.6: how many uncached blocks one cached block makes up for"
    )
    host_credit: Weight = Field(
        0.75, description="kv-1.6: the same for a block cached in host memory"
    )
    disk_credit: Weight = Field(0.25, description="kv-1.6: the same for a block cached on disk")
    network_credit: Weight = Field(
        1.0, description="kv-1.6: the same for a block that only the shared store has"
    )
    request_weight: Weight = Field(
        0.0, description="kv-1.6: blocks that each active request counts for"
    )
    decode_overlap: bool = Field(
        False, description="whether the decode router sees the overlap too; Dynamo forces it off"
    )
    normalise: bool = Field(True, description="whether softmax divides costs by their range")
    ties: Literal["smallest-cache", "random", "first"] = Field(
        "smallest-cache", description="who gets a tie; smallest-cache then draws at random"
    )
    prefill_blocks: bool = Field(
        False,
        description="kv, kv-1.6: whether the prefill router counts active blocks; not in Dynamo",
    )
    load_weight: Weight = Field(
        1.0, description="load-aware: whole hits that twice the mean load is worth"
    )
    crowding: Weight = Field(
        0.0,
        description="latency-aware: the predicted time is multiplied by the active requests, the "
        "new one among them, to this power; 1 is the toll of M/M/1 servers",
    )
    knows_speeds: bool = Field(
        False,
        description="latency-aware, toll: whether predictions are divided by the speed of the "
        "worker; if not, all workers are taken to be equal",
    )
    imbalance: Count = Field(
        8, description="threshold: difference in active requests from which only load counts"
    )
    credit_decay: Weight = Field(
        0.5, description="decaying-credit: how fast longer prefill queues devalue a hit"
    )
    hash_blocks: Count = Field(1, description="two-choice-hashing: leading blocks that are hashed")
    window: Seconds = Field(
        0.01, description="batch-assignment: most seconds that a request is held back"
    )
    window_requests: Count = Field(
        16, description="batch-assignment: requests that end the wait at once"
    )
    tracking: Tracking = Tracking()


class Override(Model):
    """The two parameters of the router that a controller sets, and nothing else."""

    temperature: Weight = Field(description="tau")
    overlap_weight: Weight = Field(description="omega")


class Regimes(Model):
    """What the router is told in each regime."""

    below: Override = Override(temperature=0.0, overlap_weight=1.0)
    transition: Override = Override(temperature=0.7, overlap_weight=1.0)
    saturated: Override = Override(temperature=0.8, overlap_weight=0.1)


class Thresholds(Model):
    """Smoothed tails of TTFT at which regimes begin."""

    unit: Literal["seconds", "unloaded"] = Field(
        "seconds", description="unloaded: multiples of the TTFT of a request that is alone"
    )
    transition: Duration = 1.0
    saturated: Duration = 10.0

    @model_validator(mode="after")
    def _are_in_order(self) -> Self:
        if self.transition >= self.saturated:
            raise ValueError(
                f"transition ({self.transition}) must be less than saturated ({self.saturated})"
            )
        return self


DYNAMO_EDGES = (
    *(0.0022, 0.0047, 0.01, 0.022, 0.047, 0.1, 0.22, 0.47, 1.0, 2.2, 4.7),
    *(10.0, 22.0, 48.0, 100.0, 220.0, 480.0),
)
"""Upper edges (seconds) of the TTFT histogram of Dynamo v0.9.0's frontend, but for 0 and infinity,
between which nothing can be told apart."""


class Controller(Model):
    """What watches the tail of TTFT and overrides the router's parameters: see `control`.

    The source gives the interval, the regimes, their thresholds for one model and the number of
    polls that must agree. The other defaults are ours, for nobody has published them.
    """

    interval: Interval = Field(5.0, description="seconds between polls")
    window: Duration = Field(30.0, description="seconds over which the P99 of TTFT is taken")
    source: Literal["exact", "buckets"] = Field(
        "exact", description="buckets: as `histogram_quantile` interpolates it within `edges`"
    )
    edges: list[Duration] = Field(
        default=[*DYNAMO_EDGES], min_length=1, description="upper edges of the finite buckets"
    )
    smoothing: Share = Field(
        0.5, description="weight of the newest poll in the moving average; 1 smooths nothing"
    )
    thresholds: Thresholds = Thresholds()
    polls: Count = Field(3, description="polls that must agree on another regime")
    hysteresis: Share = Field(
        0.8, description="share of a regime's threshold below which the average must fall to leave"
    )
    cooldown: Seconds = Field(30.0, description="least seconds between two switches")
    regimes: Regimes = Regimes()
    dry_run: bool = Field(False, description="decide, and leave the router as it is")

    @model_validator(mode="after")
    def _edges_ascend(self) -> Self:
        if any(low >= high for low, high in pairwise(self.edges)):
            raise ValueError("edges must ascend")
        return self
