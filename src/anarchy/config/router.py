"""`router`: the routing policy, its parameters and what it knows of the workers."""

from typing import Annotated, Literal

from pydantic import Field

from anarchy.config.base import Count, Model, Seconds, Title, Weight, Whole


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
