"""The configuration models: the one source of the schema of every YAML file.

A *scenario* is one deployment under one workload; an *experiment* sweeps fields of scenarios and
measures; a *study* explores a space of assumptions; the *settings* say what is built and how
precisely. Times are in seconds, sizes in bytes or tokens. Unknown keys are refused.
"""

import copy
import itertools
import json
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Self, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from anarchy.errors import InputError, suggest

Scalar = bool | int | float | str
NAME_PATTERN = r"^[a-z0-9][a-z0-9-]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
FieldPath = Annotated[str, Field(pattern=r"^[a-z_0-9]+(\.[a-z_0-9]+)*$")]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=100_000_000)]
Order = Annotated[int, Field(ge=0, le=5)]


class Model(BaseModel):
    """Base of all configuration models: no unknown keys, no change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# ---------------------------------------------------------------------------- scenario


class ServedModel(Model):
    """The language model, as far as serving it takes time and memory."""

    name: str
    latency: Name = Field(description="service times: a file of config/latency")
    kv_bytes_per_token: Count = Field(description="bytes of KV cache that one token takes")


class Hardware(Model):
    """How many GPUs there are and how many one worker takes."""

    gpu: str = "B200"
    gpus: Count
    gpus_per_worker: Count


class Topology(Model):
    """xPyD: the number of prefill and of decode workers, and how fast each of them is.

    Speeds divide the service times of the table. Routers and the planner predict with the table
    itself. A worker that the planner starts has the speed of its place: that of the worker that
    was there before, and 1 where there was none.
    """

    prefill: Count
    decode: Count
    prefill_speed: list[Positive] = Field(
        default=[], description="one for each prefill worker; none given: all 1"
    )
    decode_speed: list[Positive] = Field(
        default=[], description="one for each decode worker; none given: all 1"
    )

    @model_validator(mode="after")
    def _every_worker_has_a_speed(self) -> Self:
        for pool in ("prefill", "decode"):
            speeds, workers = getattr(self, f"{pool}_speed"), getattr(self, pool)
            if speeds and len(speeds) != workers:
                raise ValueError(
                    f"{pool}_speed has {len(speeds)} entries, topology.{pool} is {workers}: "
                    "one for each worker is wanted, or none"
                )
        return self


class Prefill(Model):
    """Batching of a prefill worker: a step takes queued prompts in order while both limits hold.

    A prompt with more uncached tokens than `batch_tokens` is a step of its own, unless it is
    chunked.
    """

    batch_requests: Count = Field(1, description="most prompts in one step; 1 is serial prefill")
    batch_tokens: Count = Field(8192, description="most uncached tokens in one step")
    chunked: bool = Field(
        False, description="whether a prompt is split over steps, so that each of them is full"
    )


class Decode(Model):
    """Admission of a decode worker; requests above the limit wait in order of arrival."""

    slots: Count = Field(256, description="most sequences decoded together")


class Tier(Model):
    """A tier of the prefix cache below HBM: its size and what it takes to fetch blocks from it.

    The blocks of one prompt take latency + bytes / bandwidth; other workers' do not slow them.
    """

    capacity_tokens: Annotated[int, Field(ge=0, le=1_000_000_000_000)] = Field(
        0, description="tokens that it can keep; 0 leaves the tier out"
    )
    bandwidth: Positive | None = Field(
        None, description="bytes per second into HBM; null is infinite"
    )
    latency: NonNegative = Field(0.0, description="seconds before the first byte of a prompt")


class PrefixCache(Model):
    """The prefix cache of whole blocks that each worker keeps, in HBM and in tiers below it.

    A block that is evicted moves to the next tier that there is; one that a prompt uses comes
    back to HBM.
    """

    enabled: bool = True
    block_tokens: Count = Field(64, description="tokens in one block; traces bring their own")
    capacity_tokens: Count = Field(2_097_152, description="tokens that one worker can keep in HBM")
    eviction: Literal["lru", "frequency"] = Field(
        "lru",
        description="which block goes first, the least recently or the least frequently used; a "
        "frequency starts at 1, doubles at each use and decays",
    )
    decay_interval: Positive = Field(
        600.0, description="seconds in which every block's frequency loses 1"
    )
    host: Tier = Field(Tier(), description="G2, each worker's host memory")
    disk: Tier = Field(Tier(), description="G3, each worker's local disk")
    network: Tier = Field(Tier(), description="G4, one store for all workers of the pool")
    disk_frequency: Annotated[int, Field(ge=0)] = Field(
        2, description="least frequency of a block that is written to disk; others pass it by"
    )
    onboarding: Literal["serial", "parallel"] = Field(
        "serial",
        description="whether a prefill step fetches its prompts' blocks first and then computes, "
        "or does both at once and ends with the later",
    )
    recompute: bool = Field(
        False,
        description="whether blocks of lower tiers are computed anew where that ends the step "
        "earlier than fetching them",
    )


class Memory(Model):
    """What limits the KV cache that running requests hold."""

    paged: bool = Field(
        False,
        description="whether requests hold blocks of cache.capacity_tokens beside the prefixes "
        "cached there; a request waits until its prompt has room, and a hand-off until decode "
        "has; if not, only cached prefixes take memory",
    )
    visible: Literal["scheduled", "step-end"] = Field(
        "step-end",
        description="paged: when other prompts find a block, as soon as a step is to compute it "
        "or when that step has ended",
    )
    preempt: Literal["last", "first", "never"] = Field(
        "last",
        description="paged: which running request starts anew when no block is left, the last or "
        "the first admitted; never admits a request only if all its output has room too",
    )


class Handoff(Model):
    """The way of the KV cache from prefill to decode: set-up, then bytes / bandwidth on a link."""

    overhead: NonNegative = Field(
        0.0, description="seconds of set-up per request, which keep nobody from the link"
    )
    bandwidth: Positive | None = Field(None, description="bytes per second; null is infinite")
    link: Literal["none", "fifo", "fair"] = Field(
        "none",
        description="none gives every transfer the whole bandwidth, fifo to one after the other, "
        "fair to all in equal shares",
    )
    scope: Literal["worker", "cluster"] = Field(
        "worker", description="fifo, fair: one link for each prefill worker, or one for all"
    )

    @model_validator(mode="after")
    def _links_have_a_bandwidth(self) -> Self:
        if self.link != "none" and self.bandwidth is None:
            raise ValueError(f"link '{self.link}' needs a bandwidth; allowed without: none")
        return self


class Engine(Model):
    """How the workers of both pools behave."""

    prefill: Prefill = Prefill()
    decode: Decode = Decode()
    cache: PrefixCache = PrefixCache()
    memory: Memory = Memory()
    handoff: Handoff = Handoff()
    first_token: Literal["prefill", "handoff", "decode-step"] = Field(
        "handoff", description="the event that ends TTFT"
    )
    local_prefill_below: Annotated[int, Field(ge=0)] = Field(
        0,
        description="prompts with fewer uncached tokens than this on the decode workers go to one "
        "of them at once, which stops decoding for the time of their prefill; 0 is never",
    )

    @model_validator(mode="after")
    def _chunks_need_blocks(self) -> Self:
        if self.prefill.chunked and not self.memory.paged:
            raise ValueError("'prefill.chunked' needs 'memory.paged': true")
        return self

    @model_validator(mode="after")
    def _tiers_need_unpaged_memory(self) -> Self:
        cache = self.cache
        lower = any(tier.capacity_tokens for tier in (cache.host, cache.disk, cache.network))
        if self.memory.paged and (cache.eviction != "lru" or lower):
            raise ValueError(
                "'cache.eviction' other than lru and the tiers below HBM need 'memory.paged': false"
            )
        return self

    @model_validator(mode="after")
    def _blocks_have_one_way(self) -> Self:
        if self.memory.paged and self.handoff.link != "none":
            raise ValueError("'handoff.link' other than none needs 'memory.paged': false")
        if self.memory.paged and self.local_prefill_below:
            raise ValueError("'local_prefill_below' above 0 needs 'memory.paged': false")
        return self


class Tracking(Model):
    """What a router knows of the workers. The defaults are the truth at once."""

    replicas: Count = Field(1, description="routers that share the requests, taking turns")
    event_lag: NonNegative = Field(
        0.0,
        description="seconds until the replica that placed a request hears that its prefill or "
        "decode has ended",
    )
    replica_lag: NonNegative = Field(
        0.0, description="further seconds until the other replicas hear of placements and ends"
    )
    cache_lag: NonNegative = Field(
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

    policy: str = Field("kv", description="a registered policy: see `anarchy list`")
    temperature: NonNegative = Field(0.0, description="tau; 0 takes the cheapest worker")
    overlap_weight: NonNegative = Field(1.0, description="omega, the weight of uncached blocks")
    overlap_credit: NonNegative = Field(
        1.0, description="kv-1.6: how many uncached blocks one cached block makes up for"
    )
    host_credit: NonNegative = Field(
        0.75, description="kv-1.6: the same for a block cached in host memory"
    )
    disk_credit: NonNegative = Field(
        0.25, description="kv-1.6: the same for a block cached on disk"
    )
    network_credit: NonNegative = Field(
        1.0, description="kv-1.6: the same for a block that only the shared store has"
    )
    request_weight: NonNegative = Field(
        0.0, description="kv-1.6: blocks that each active request counts for"
    )
    decode_overlap: bool = Field(
        False, description="whether the decode leg sees the overlap too; Dynamo forces it off"
    )
    normalise: bool = Field(True, description="whether softmax divides costs by their range")
    ties: Literal["smallest-cache", "random", "first"] = Field(
        "smallest-cache", description="who gets a tie; smallest-cache then draws at random"
    )
    prefill_blocks: bool = Field(
        False,
        description="kv, kv-1.6: whether the prefill leg counts active blocks too; Dynamo does not",
    )
    load_weight: NonNegative = Field(
        1.0, description="load-aware: whole hits that twice the mean load is worth"
    )
    imbalance: Count = Field(
        8, description="threshold: difference in active requests from which only load counts"
    )
    credit_decay: NonNegative = Field(
        0.5, description="decaying-credit: how fast longer prefill queues devalue a hit"
    )
    hash_blocks: Count = Field(1, description="two-choice-hashing: leading blocks that are hashed")
    window: NonNegative = Field(
        0.01, description="batch-assignment: most seconds that a request is held back"
    )
    window_requests: Count = Field(
        16, description="batch-assignment: requests that end the wait at once"
    )
    tracking: Tracking = Tracking()


class FixedLengths(Model):
    """Always the same length."""

    kind: Literal["fixed"]
    tokens: Count


class GeometricLengths(Model):
    """1, 2, ... tokens without memory."""

    kind: Literal["geometric"]
    mean_tokens: Annotated[float, Field(ge=1, le=100_000_000)]


class ExponentialLengths(Model):
    """Exponential, rounded, at least 1."""

    kind: Literal["exponential"]
    mean_tokens: Positive


class LogNormalLengths(Model):
    """exp of a normal law around log(median)."""

    kind: Literal["log-normal"]
    median: Positive
    sigma: NonNegative


class QuantileLengths(Model):
    """An empirical law: values at levels from 0 to 1, linear between them."""

    kind: Literal["quantiles"]
    levels: list[NonNegative]
    values: list[NonNegative]


LengthLaw = Annotated[
    FixedLengths | GeometricLengths | ExponentialLengths | LogNormalLengths | QuantileLengths,
    Field(discriminator="kind"),
]


class Prompts(Model):
    """What is asked: a prompt is the beginning of one of a few equally likely templates.

    A prompt longer than the template's `input_tokens` goes on with text of its own.
    """

    templates: Count = 5
    input_tokens: Count = Field(description="tokens of each template")
    output_tokens: Count
    input_lengths: LengthLaw | None = Field(None, description="null is always input_tokens")
    output_lengths: LengthLaw | None = Field(None, description="null is always output_tokens")


class Slo(Model):
    """What a tenant was promised, in seconds; null promises nothing."""

    ttft: Positive | None = None
    itl: Positive | None = None


class Tenant(Prompts):
    """A class of requests with prompts and promises of its own."""

    name: Name
    share: Positive = Field(description="of the requests, relative to the other tenants' shares")
    slo: Slo = Slo()


class Synthetic(Prompts):
    """What all workloads that are no traces have."""

    tenants: list[Tenant] = Field(
        default=[], description="if any, each request is one tenant's, and the prompts are theirs"
    )

    @model_validator(mode="after")
    def _tenants_have_names(self) -> Self:
        if len({tenant.name for tenant in self.tenants}) < len(self.tenants):
            raise ValueError("tenants: a name occurs twice")
        return self


class ClosedLoop(Synthetic):
    """C clients, each with one request in flight; prompts drawn from a few templates."""

    kind: Literal["closed-loop"]
    clients: Count
    think_time: NonNegative = Field(0.002, description="mean of the exponential think time")


class Poisson(Synthetic):
    """Poisson arrivals of templated prompts."""

    kind: Literal["poisson"]
    rate: Positive = Field(description="requests per second")


class Mmpp(Synthetic):
    """Poisson arrivals whose rate follows a Markov chain: bursts."""

    kind: Literal["mmpp"]
    rates: list[NonNegative] = Field(min_length=2, description="requests per second, by state")
    switching: list[list[float]] = Field(
        description="generator matrix: transitions per second, rows sum to 0"
    )
    speed: Positive = Field(1.0, description="2 runs twice as fast")


class Phase(Model):
    """A stretch of constant load."""

    duration: Positive = Field(description="seconds; the last phase goes on as long as needed")
    rate: NonNegative = Field(description="requests per second")


class Phases(Synthetic):
    """Poisson arrivals whose rate steps: diurnal curves, load steps."""

    kind: Literal["phases"]
    phases: list[Phase] = Field(min_length=1)
    speed: Positive = Field(1.0, description="2 runs twice as fast")

    @model_validator(mode="after")
    def _goes_on(self) -> Self:
        if self.phases[-1].rate == 0:
            raise ValueError("the last phase needs a rate above 0, because it goes on")
        return self


class Trace(Model):
    """Arrivals, lengths and prefix blocks of a recorded trace."""

    kind: Literal["trace"]
    trace: str = Field(description="a name of config/traces.yaml, or the path of a trace file")
    rows: Count | None = Field(None, description="only the first rows; null is all")
    speed: Positive = Field(1.0, description="2 replays twice as fast")


class TwinTrace(Model):
    """A synthetic trace with the statistics of a recorded one."""

    kind: Literal["twin"]
    twin: Name = Field(description="parameters: a file of config/twins")
    rows: Annotated[int, Field(ge=1, le=10_000_000)] = Field(description="requests")
    speed: Positive = Field(1.0, description="2 replays twice as fast")
    seed: Annotated[int, Field(ge=0)] | None = Field(
        None, description="one twin for all replications; null gives each replication its own"
    )


class Custom(Model):
    """A workload that a plugin registers."""

    kind: Literal["custom"]
    workload: str = Field(description="a registered workload: see `anarchy list`")
    parameters: dict[str, Any] = {}


Workload = Annotated[
    ClosedLoop | Poisson | Mmpp | Phases | Trace | TwinTrace | Custom, Field(discriminator="kind")
]


class Planner(Model):
    """What moves workers between the pools: see `serving.planner`.

    A worker that leaves its pool gets no new requests and finishes its own; then its GPUs are
    free, without anything cached, to start a worker of either pool.
    """

    rule: Literal["none", "load", "sla"] = Field(
        "none",
        description="none never moves a worker; load keeps queues and memory between thresholds; "
        "sla computes what the forecast load needs",
    )
    interval: Positive = Field(30.0, description="seconds between decisions")
    sampling: Positive = Field(
        1.0, description="seconds between looks at queues and memory, averaged over the interval"
    )
    step: Count = Field(1, description="most workers that a pool gains or loses by one decision")
    startup: NonNegative = Field(30.0, description="seconds until a new worker is in service")
    drain: NonNegative = Field(
        0.0, description="seconds from a leaving worker's last request until its GPUs are free"
    )
    kv_up: NonNegative = Field(0.9, description="load: decode grows above this share of KV memory")
    kv_down: NonNegative = Field(0.5, description="load: decode shrinks below this share")
    queue_up: NonNegative = Field(
        5.0, description="load: prefill grows above this many waiting requests per worker"
    )
    queue_down: NonNegative = Field(0.2, description="load: prefill shrinks below this many")
    itl: Positive = Field(0.02, description="sla: the promised inter-token latency, seconds")
    correction: bool = Field(
        True,
        description="sla: whether service times are corrected by how far TTFT and ITL were from "
        "what the table says",
    )
    forecast: Literal["constant", "moving-average", "kalman", "arima"] = Field(
        "constant", description="sla: how rate and lengths of the next interval are foretold"
    )
    forecast_intervals: Count = Field(5, description="moving-average: intervals averaged")
    forecast_ratio: Positive = Field(
        0.1, description="kalman: variance of the level's steps over that of the noise"
    )
    arima_order: tuple[Order, Order, Order] = Field(
        (1, 1, 0), description="arima: how many lags, differences and moving averages"
    )
    arima_intervals: Count = Field(
        50, description="arima: the last intervals, to which it is fitted"
    )

    @model_validator(mode="after")
    def _thresholds_leave_room(self) -> Self:
        for name in ("kv", "queue"):
            down, up = getattr(self, f"{name}_down"), getattr(self, f"{name}_up")
            if down > up:
                raise ValueError(f"{name}_down ({down}) must not be above {name}_up ({up})")
        return self


class Outage(Model):
    """A failure: the worker's requests are lost and begin anew, its cache is empty on return."""

    pool: Literal["prefill", "decode"]
    worker: Annotated[int, Field(ge=0)] = Field(description="number within the pool, from 0")
    at: NonNegative = Field(description="seconds from the start of the run")
    until: Positive = Field(description="seconds from the start of the run")

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.until <= self.at:
            raise ValueError(f"'until' ({self.until}) must be later than 'at' ({self.at})")
        return self


class Scenario(Model):
    """One deployment under one workload."""

    description: str
    model: ServedModel
    hardware: Hardware
    topology: Topology
    engine: Engine = Engine()
    router: Router = Router()
    planner: Planner = Planner()
    outages: list[Outage] = Field(default=[], description="failures of workers")
    workload: Workload
    assumptions: dict[FieldPath, str] = Field(
        default={}, description="fields whose value nobody published, each with its reason"
    )

    @model_validator(mode="after")
    def _workers_fit_the_gpus(self) -> Self:
        needed = (self.topology.prefill + self.topology.decode) * self.hardware.gpus_per_worker
        if needed > self.hardware.gpus:
            most = self.hardware.gpus // self.hardware.gpus_per_worker
            raise ValueError(
                f"topology {self.topology.prefill}P/{self.topology.decode}D needs {needed} GPUs, "
                f"hardware.gpus is {self.hardware.gpus}: at most {most} workers of "
                f"{self.hardware.gpus_per_worker} GPUs"
            )
        return self

    @property
    def tenants(self) -> Sequence[Tenant]:
        """The tenants of the workload, in the order of the log's numbers; none if it has none."""
        return self.workload.tenants if isinstance(self.workload, Synthetic) else []

    @model_validator(mode="after")
    def _outages_do_not_overlap(self) -> Self:
        free: dict[tuple[str, int], float] = {}
        for outage in sorted(self.outages, key=lambda outage: outage.at):
            workers = getattr(self.topology, outage.pool)
            if outage.worker >= workers:
                raise ValueError(
                    f"outages: {outage.pool} worker {outage.worker} is unknown; allowed: 0 to "
                    f"{workers - 1}"
                )
            worker = (outage.pool, outage.worker)
            if outage.at < free.get(worker, 0.0):
                raise ValueError(
                    f"outages: {outage.pool} worker {outage.worker} fails at {outage.at} while it "
                    "is down"
                )
            free[worker] = outage.until
        return self

    @model_validator(mode="after")
    def _assumptions_name_fields(self) -> Self:
        for path in self.assumptions:
            get_field(self, path)
        return self


# ------------------------------------------------------------------- experiment and study


class Estimator(Model):
    """How PoA-hat is computed from a request log; the source leaves every one of these open."""

    entry: Literal["decode-latency", "router-cost"] = Field(
        "decode-latency",
        description="matrix entry of request i on worker j: predicted decode latency, or the "
        "cost the router saw",
    )
    freezing: Literal["arrival", "window-start", "idle"] = Field(
        "arrival", description="the moment whose loads the latencies are frozen at"
    )
    matching: Literal["balanced", "rectangular", "unconstrained"] = Field(
        "balanced",
        description="balanced gives each worker ceil(n/m) places; rectangular assigns only "
        "min(n, m) requests while the numerator counts all; unconstrained has no capacity",
    )
    numerator: Literal["frozen", "realised"] = Field(
        "frozen", description="cost of the actual routing: matrix entries, or what really happened"
    )
    window: Count = Field(40, description="consecutive routing decisions matched together")
    aggregation: Literal["ratio-of-sums", "mean-of-ratios", "median-of-ratios"] = "ratio-of-sums"


class Figure(Model):
    """What the experiment's figure shows."""

    kind: Literal["line", "bar", "heatmap"] = "line"
    x: FieldPath = Field(description="a swept field, or `scenario`")
    y: list[str] = Field(min_length=1, description="measures, one panel each")
    series: FieldPath | None = Field(None, description="a swept field, or `scenario`: one line")
    rows: FieldPath | None = Field(None, description="heatmap: the field of the vertical axis")
    panels: FieldPath | None = Field(None, description="heatmap: one panel per value")
    log_x: bool = False
    log_y: bool = False
    in_text: bool = Field(False, description="placed in the paper's text, not in the appendix")

    @model_validator(mode="after")
    def _heatmaps_have_rows(self) -> Self:
        if (self.kind == "heatmap") != (self.rows is not None):
            raise ValueError("'rows' belongs to figures of kind 'heatmap', which need it")
        return self


class Table(Model):
    """What the experiment's table shows: one row per cell, one column per measure."""

    measures: list[str] = Field(min_length=1)


class Knee(Model):
    """Where the load sweep bends: the interval between two neighbouring grid points."""

    field: FieldPath = "workload.clients"
    busy: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.995, description="load of the busiest prefill worker that counts as saturated"
    )


class Compare(Model):
    """Paired differences between the values of one swept field and its baseline."""

    field: FieldPath
    baseline: Scalar | None
    measures: list[str] = Field(min_length=1)


class Spread(Model):
    """How much measures differ over the settings of some swept fields, the others held fixed."""

    over: list[FieldPath] = Field(min_length=1)
    measures: list[str] = Field(min_length=1)


class Experiment(Model):
    """Scenarios x swept fields x seeds -> measures, a figure and a table."""

    title: str
    question: str = Field(description="what the experiment answers, in one sentence")
    scenarios: list[Name] = Field(min_length=1)
    set: dict[FieldPath, Scalar | None] = Field(
        default={}, description="fields fixed in all scenarios"
    )
    sweep: dict[FieldPath, Annotated[list[Scalar | None], Field(min_length=1)]] = {}
    replications: Count | None = Field(None, description="null takes the settings' number")
    requests: Count | None = Field(None, description="null takes the settings' number")
    measures: list[str] = Field(min_length=1)
    estimators: dict[Name, Estimator] = Field(
        default={}, description="each defines the measure poa-hat:<name>"
    )
    knee: Knee | None = None
    compare: Compare | None = None
    spread: Spread | None = None
    figure: Figure
    table: Table
    plugins: list[str] = Field(default=[], description="Python files that register policies")

    @model_validator(mode="after")
    def _nothing_is_given_twice(self) -> Self:
        if both := sorted(set(self.set) & set(self.sweep)):
            raise ValueError(f"'{both[0]}' is both in 'set' and in 'sweep'")
        if len(set(self.scenarios)) < len(self.scenarios):
            raise ValueError("scenarios: a name occurs twice")
        return self


class Fact(Model):
    """A published fact that the study does not fit: its members are held against it."""

    claim: Annotated[str, Field(pattern=r"^C[0-9]{2}$")]
    text: str
    measure: str
    clients: Count = Field(description="the load at which the measure is taken")
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a fact needs 'at_least', 'at_most' or both")
        return self


class KneeMap(Model):
    """The knee over a grid of assumptions, and the set that meets one published fact."""

    kind: Literal["knee-map"]
    title: str
    question: str
    scenarios: list[Name] = Field(min_length=1)
    axes: dict[FieldPath, Annotated[list[Scalar | None], Field(min_length=1)]] = Field(min_length=1)
    above: NonNegative = Field(description="the published knee lies above this concurrency")
    upto: Positive = Field(description="and at or below this one")
    busy: Annotated[float, Field(gt=0, lt=1)] = 0.995
    largest: Count = Field(1024, description="concurrency at which the search gives up")
    replications: Count = Field(3, description="searches per point, each with its own seeds")
    requests: Count | None = Field(None, description="null takes the settings' number")
    estimators: dict[Name, Estimator] = {}
    facts: list[Fact] = Field(
        default=[], description="other published facts, judged on the feasible set, never fitted"
    )

    @model_validator(mode="after")
    def _can_be_searched(self) -> Self:
        if self.above >= self.upto:
            raise ValueError(f"'above' ({self.above}) must be less than 'upto' ({self.upto})")
        if "workload.clients" in self.axes:
            raise ValueError("axes: 'workload.clients' is what the search varies")
        return self


Study = KneeMap

# ---------------------------------------------------------------------------- settings


class Bootstrap(Model):
    """Block bootstrap of a single real trace."""

    resamples: Annotated[int, Field(ge=100)] = 1000
    block: Count = Field(200, description="consecutive requests resampled together")


class Adjust(Model):
    """Partial experiments and studies merged over their files; how overlays coarsen a build."""

    experiments: dict[Name, dict[str, Any]] = {}
    studies: dict[Name, dict[str, Any]] = {}


class Settings(Model):
    """What is built, with which seed and how precisely."""

    seed: Annotated[int, Field(ge=0)]
    replications: Annotated[int, Field(ge=2)] = Field(description="runs per cell")
    requests: Count = Field(description="measured requests per run of a synthetic workload")
    warmup_cycles: Annotated[float, Field(ge=0, le=1000)] = Field(
        description="completions per client (closed loop) dropped before measuring"
    )
    bootstrap: Bootstrap = Bootstrap()
    output: str = Field(".", description="folder that receives results, figures and paper")
    adjust: Adjust = Adjust()


class TraceSource(Model):
    """A public trace: looked up, downloaded when absent, checked, never committed."""

    file: str
    format: Literal["mooncake", "azure"]
    url: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    licence: str
    citation: str


class TraceSources(Model):
    """config/traces.yaml."""

    traces: dict[Name, TraceSource]


SCHEMA_MODELS: dict[str, type[Model]] = {
    "config": Settings,
    "scenario": Scenario,
    "experiment": Experiment,
    "study": Study,
    "traces": TraceSources,
}

# ----------------------------------------------------------------------------- loading

M = TypeVar("M", bound=Model)


class _Refusal(yaml.MarkedYAMLError):
    """YAML that this project does not take."""


class _Loader(yaml.SafeLoader):
    """The safe loader, which also refuses a key that is given twice, and merges.

    Merges of merges can grow a short file without bound, and a scenario can extend another.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                problem = "merges (<<) are not allowed; write the keys out"
                raise _Refusal(problem=problem, problem_mark=key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # refused below
            if key in seen:
                problem = f"key '{key}' is given twice"
                raise _Refusal(problem=problem, problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


class _TextLoader(_Loader):
    """Leaves numbers as the text that stands in the file, so that no digit is lost."""

    def construct_number(self, node: yaml.ScalarNode) -> str:
        """The text without the underscores that YAML allows between digits."""
        return str(self.construct_scalar(node)).replace("_", "")


_TextLoader.add_constructor("tag:yaml.org,2002:int", _TextLoader.construct_number)
_TextLoader.add_constructor("tag:yaml.org,2002:float", _TextLoader.construct_number)


def load_yaml(path: Path, numbers_as_text: bool = False) -> Any:
    """Read one YAML file safely; a fault is one line that names file and line."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_yaml(content, str(path), numbers_as_text)


def parse_yaml(content: bytes, source: str, numbers_as_text: bool = False) -> Any:
    """Parse YAML (or JSON, which it includes) that came from `source`.

    With `numbers_as_text` a number stays a string: 0.1 is then a decimal and no binary fraction.
    """
    try:
        loader = _TextLoader if numbers_as_text else _Loader
        return yaml.load(content.decode("utf-8"), Loader=loader)
    except UnicodeDecodeError:
        raise InputError(f"{source}: not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        fault = "" if isinstance(error, _Refusal) else "not YAML: "
        raise InputError(f"{source}{line}: {fault}{getattr(error, 'problem', error)}") from None
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{source}: not YAML that can be read: {error}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping."""
    data = load_yaml(path)
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected keys with values, not {type(data).__name__}")
    return data


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `overlay` over `base`: mappings merge key by key, everything else is replaced."""
    merged = copy.deepcopy(dict(base))
    for key, value in overlay.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def validate(
    model: type[M],
    data: Mapping[str, Any],
    source: str,
    locate: Callable[[str], str] | None = None,
) -> M:
    """Validate `data`; a fault is one line that names `source`, the key and what is allowed.

    Where data come from several files, `locate` tells the one that sets a dotted key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        key, message = _first_fault(model, error)
        source = locate(key) if locate else source
        raise InputError(f"{source}: {message}") from None
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def load_settings(base: Path, overlay: Path | None = None) -> Settings:
    """Read the settings with an optional overlay laid over them."""
    files = [(base, read_yaml(base))]
    if overlay is not None:
        files.append((overlay, read_yaml(overlay)))
    return validate_layers(Settings, files)


def load_scenario(folder: Path, name: str, library: Path | None = None) -> Scenario:
    """Read a scenario with everything it `extends`, from its folder or else from `library`."""
    return validate_layers(Scenario, _scenario_files(folder, name, library))


def validate_layers(model: type[M], files: Sequence[tuple[Path, Mapping[str, Any]]]) -> M:
    """Merge files, the most general first, and validate; a fault names the file that sets it."""
    merged: dict[str, Any] = {}
    for _, data in files:
        merged = merge(merged, data)

    def locate(key: str) -> str:
        setters = [path for path, data in files if _has_key(data, key)]
        return str(setters[-1] if setters else files[-1][0])

    return validate(model, merged, locate(""), locate)


def _scenario_files(
    folder: Path, name: str, library: Path | None = None, seen: tuple[str, ...] = ()
) -> list[tuple[Path, dict[str, Any]]]:
    """The files that make up a scenario, the most general first, without their `extends`."""
    path = folder / f"{name}.yaml"
    if library is not None and seen and not path.is_file():
        folder, path = library, library / f"{name}.yaml"
    if not path.is_file():
        known = [p.stem for p in folder.glob("*.yaml")]
        raise InputError(f"{path}: unknown scenario '{name}'; {suggest(name, known)}")
    if name in seen:
        raise InputError(f"{path}: extends itself through {' -> '.join([*seen, name])}")
    data = read_yaml(path)
    parent = data.pop("extends", None)
    if parent is None:
        return [(path, data)]
    general = _scenario_files(folder, str(parent), library, (*seen, name))
    return [*general, (path, data)]


def _has_key(data: Mapping[str, Any], key: str) -> bool:
    node: Any = data
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def with_fields(scenario: Scenario, values: Mapping[str, Any], source: str) -> Scenario:
    """A scenario with dotted fields replaced, validated anew.

    >>> with_fields(s, {"workload.clients": 64}, "x.yaml").workload.clients
    64
    """
    data = scenario.model_dump()
    for path, value in values.items():
        get_field(scenario, path, source)
        *parents, last = path.split(".")
        node = data
        for key in parents:
            node = node[key]
        node[last] = value
    return validate(Scenario, data, source)


def get_field(scenario: Scenario, path: str, source: str = "") -> Any:
    """The value of a dotted field; an unknown one is refused with the nearest valid name."""
    node: Any = scenario
    prefix = f"{source}: " if source else ""
    for key in path.split("."):
        fields = list(type(node).model_fields) if isinstance(node, BaseModel) else []
        if key not in fields:
            hint = suggest(key, fields) if fields else "it has no fields"
            raise InputError(f"{prefix}unknown field '{path}' at '{key}'; {hint}")
        node = getattr(node, key)
    return node


def combinations(axes: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    """All combinations of the axes' values, the last axis varying fastest."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def json_schema(model: type[Model]) -> str:
    """The committed JSON schema of a configuration file."""
    return json.dumps(model.model_json_schema(), indent=2, sort_keys=True) + "\n"


_SCALAR_TAGS = {"bool", "int", "float", "str"}

# Characters of a refused value that a message repeats.
_MAX_SHOWN = 80


def _first_fault(model: type[Model], error: ValidationError) -> tuple[str, str]:
    """The dotted key of the fault to report, and the message."""
    faults = error.errors(include_url=False)
    # An unknown key is nearly always the cause of the other faults (a required key misspelt).
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    loc = fault["loc"]
    key = _dotted(model, loc)
    if fault["type"] == "extra_forbidden":
        hint = suggest(str(loc[-1]), _allowed_keys(model, loc[:-1]))
        return key, f"unknown key '{key}'; {hint}"
    if key and fault["type"].endswith(("_type", "_parsing")) and str(loc[-1]) in _SCALAR_TAGS:
        return key, f"{key}: a number, text, true, false or null is wanted"
    if fault["type"] == "missing":
        return key, f"key '{key}' is missing"
    message = re.sub(r"^Value error, ", "", fault["msg"])
    message = message[0].lower() + message[1:] if message else message
    given = fault.get("input")
    shown = ""
    if isinstance(given, bool | int | float | str) and repr(given) not in message:
        text = repr(given)
        shown = f" (got {text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + '…'})"
    return key, f"{key}: {message}{shown}" if key else message


def _dotted(model: type[Model], loc: tuple[int | str, ...]) -> str:
    """The location as a user writes it: the tag of a union is no key of the file."""
    names = []
    node: Any = model
    for part in loc:
        step = _descend(node, part)
        if part == "[key]":
            # The fault is the key of a mapping itself, which is already named.
            continue
        if not (isinstance(step, tuple)):
            names.append(str(part))
        else:
            step = step[0]
        node = step
    return ".".join(names)


def _allowed_keys(model: type[Model], loc: tuple[int | str, ...]) -> list[str]:
    node: Any = model
    for part in loc:
        step = _descend(node, part)
        node = step[0] if isinstance(step, tuple) else step
    if get_origin(node) in (Union, UnionType):
        # An optional model: the fault is below it, so it was given.
        node = next(filter(_is_model, get_args(node)), None)
    return list(node.model_fields) if _is_model(node) else []


def _is_model(node: Any) -> bool:
    return isinstance(node, type) and issubclass(node, BaseModel)


def _members(union: Any) -> list[Any]:
    """The types of a union, those of unions in it included: an optional union is a nested one."""
    members = []
    for member in get_args(union):
        member = get_args(member)[0] if get_origin(member) is Annotated else member
        nested = get_origin(member) in (Union, UnionType)
        members += _members(member) if nested else [member]
    return members


def _descend(node: Any, part: int | str) -> Any:
    """One step of an error location: the annotation below `part`.

    A step that only picks a union's member by its tag comes back as a one-tuple.
    """
    if get_origin(node) is Annotated:
        node = get_args(node)[0]
    if _is_model(node):
        field = node.model_fields.get(str(part))
        return field.annotation if field else None
    if get_origin(node) in (Union, UnionType):
        if part in _SCALAR_TAGS:
            return (None,)
        for member in _members(node):
            if _is_model(member):
                kind = member.model_fields.get("kind")
                if kind is not None and part in get_args(kind.annotation):
                    return (member,)
        models = [m for m in _members(node) if _is_model(m)]
        return _descend(models[0], part) if models else None
    arguments = get_args(node)
    return arguments[-1] if arguments else None
