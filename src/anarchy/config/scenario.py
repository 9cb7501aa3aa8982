"""A scenario: one deployment under one workload, and its dotted fields."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from anarchy.common.errors import InputError, suggest
from anarchy.config.base import (
    Count,
    Duration,
    Factor,
    FieldPath,
    Interval,
    Model,
    Name,
    Order,
    Prose,
    Seconds,
    Title,
    Weight,
    Whole,
)
from anarchy.config.engine import Engine
from anarchy.config.router import Controller, Router
from anarchy.config.validation import UnknownField, validate
from anarchy.config.workload import Synthetic, Tenant, Workload
from anarchy.config.yaml_files import merge, other_kind


class ServedModel(Model):
    """The language model, as far as serving it takes time and memory."""

    name: Title
    latency: Name = Field(description="service times: a file of config/latency")
    all_reduce: Seconds = Field(
        0.0,
        description="seconds of each all-reduce between the GPUs of a worker, for service times "
        "without them",
    )
    kv_bytes_per_token: Count = Field(description="bytes of KV cache that one token takes")


class Hardware(Model):
    """How many GPUs there are and how many one worker takes."""

    gpu: Title = "B200"
    gpus: Count
    gpus_per_worker: Count


Workers = Annotated[Whole, Field(ge=1, le=10_000)]


class Topology(Model):
    """xPyD: the number of prefill and of decode workers, and how fast each of them is.

    Speeds divide the service times of the table. Routers and the planner predict with the table
    itself. A worker that the planner starts has the speed of its place: that of the worker that
    was there before, and 1 where there was none.
    """

    prefill: Workers
    decode: Workers
    prefill_speed: list[Factor] = Field(
        default=[], description="one for each prefill worker; none given: all 1"
    )
    decode_speed: list[Factor] = Field(
        default=[], description="one for each decode worker; none given: all 1"
    )

    decode_cache: list[Annotated[Whole, Field(ge=0, le=1_000_000_000_000)]] = Field(
        default=[],
        description="tokens of prompts that each decode worker can keep, where the decode router "
        "sees overlap; none given: all engine.cache.capacity_tokens",
    )

    @model_validator(mode="after")
    def _every_worker_has_its_own(self) -> Self:
        for field in ("prefill_speed", "decode_speed", "decode_cache"):
            pool = field.partition("_")[0]
            given, workers = getattr(self, field), getattr(self, pool)
            if given and len(given) != workers:
                raise ValueError(
                    f"{field} has {len(given)} entries, topology.{pool} is {workers}: "
                    "one for each worker is wanted, or none"
                )
        return self


class Frontend(Model):
    """What the host does with a request before the prefill router sees it: HTTP, tokens, events.

    It takes its time whatever the model. TTFT and end-to-end latency count from before it.
    """

    overhead: Seconds = Field(0.0, description="seconds per request")
    serial: bool = Field(
        False,
        description="whether requests pass one after the other, in order of arrival, as through "
        "one process; if not, none waits for another",
    )


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
    interval: Interval = Field(30.0, description="seconds between decisions")
    sampling: Interval = Field(
        1.0, description="seconds between looks at queues and memory, averaged over the interval"
    )
    step: Count = Field(1, description="most workers that a pool gains or loses by one decision")
    startup: Seconds = Field(30.0, description="seconds until a new worker is in service")
    drain: Seconds = Field(
        0.0, description="seconds from a leaving worker's last request until its GPUs are free"
    )
    kv_up: Weight = Field(0.9, description="load: decode grows above this share of KV memory")
    kv_down: Weight = Field(0.5, description="load: decode shrinks below this share")
    queue_up: Weight = Field(
        5.0, description="load: prefill grows above this many waiting requests per worker"
    )
    queue_down: Weight = Field(0.2, description="load: prefill shrinks below this many")
    itl: Duration = Field(0.02, description="sla: the bound on inter-token latency, seconds")
    correction: bool = Field(
        True,
        description="sla: whether service times are corrected by how far TTFT and ITL were from "
        "what the table says",
    )
    forecast: Literal["constant", "moving-average", "kalman", "arima"] = Field(
        "constant", description="sla: how rate and lengths of the next interval are foretold"
    )
    forecast_intervals: Count = Field(5, description="moving-average: intervals averaged")
    forecast_ratio: Factor = Field(
        0.1, description="kalman: variance of the level's steps over that of the noise"
    )
    arima_order: tuple[Order, Order, Order] = Field(
        (1, 1, 0), strict=False, description="arima: how many lags, differences and moving averages"
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
    worker: Annotated[Whole, Field(ge=0)] = Field(description="number within the pool, from 0")
    at: Seconds = Field(description="seconds from the start of the run")
    until: Duration = Field(description="seconds from the start of the run")

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.until <= self.at:
            raise ValueError(f"'until' ({self.until}) must be later than 'at' ({self.at})")
        return self


class Scenario(Model):
    """One deployment under one workload."""

    description: Prose
    model: ServedModel
    hardware: Hardware
    topology: Topology
    frontend: Frontend = Frontend()
    engine: Engine = Engine()
    router: Router = Router()
    planner: Planner = Planner()
    controller: Controller | None = Field(
        None, description="what changes the router as the run goes on; null: nothing does"
    )
    outages: list[Outage] = Field(default=[], description="failures of workers")
    workload: Workload
    assumptions: dict[FieldPath, Prose] = Field(
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

    @model_validator(mode="after")
    def _unequal_caches_are_plain(self) -> Self:
        if self.topology.decode_cache and (
            self.engine.memory.paged
            or self.engine.cache.eviction != "lru"
            or self.planner.rule != "none"
        ):
            raise ValueError(
                "'topology.decode_cache' needs 'engine.memory.paged': false, "
                "'engine.cache.eviction': lru and 'planner.rule': none"
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


def with_fields(scenario: Scenario, values: Mapping[str, Any], source: str) -> Scenario:
    """A scenario with dotted fields replaced, all of them before it is validated anew.

    >>> with_fields(s, {"workload.clients": 64}, "x.yaml").workload.clients
    64

    A field `kind` with another value begins its section anew, as in `merge`.
    """
    data = scenario.model_dump()
    # What a section is comes before what is in it, whatever the order.
    for path in sorted(values, key=lambda path: (not path.endswith(".kind"), path.count("."))):
        *parents, last = path.split(".")
        node = data
        for at, key in enumerate(parents, start=1):
            if node.get(key) is None:
                node[key] = {}
            if not isinstance(node[key], dict):
                get_field(scenario, path, source)  # refuses it
                raise InputError(f"{source}: {'.'.join(parents[:at])}: has no fields")
            node = node[key]
        if last == "kind" and node.get("kind") != values[path]:
            node.clear()
        node[last] = values[path]
    replaces = any(isinstance(v, Mapping) or path.endswith("kind") for path, v in values.items())
    if replaces and "assumptions" not in values:
        data["assumptions"] = _still_true(data["assumptions"], scenario.model_dump(), data)
    return validate(Scenario, data, source)


def merge_scenarios(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """As `merge`; what was assumed of a section that is replaced is no longer said."""
    merged = merge(base, overlay)
    assumed = merged.get("assumptions")
    if isinstance(assumed, dict):
        own = overlay.get("assumptions") or {}
        kept = _still_true({k: v for k, v in assumed.items() if k not in own}, base, merged)
        merged["assumptions"] = kept | {k: v for k, v in assumed.items() if k in own}
    return merged


def _still_true(
    assumptions: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> dict[str, Any]:
    """The assumptions whose sections are still of the kind of which they were made."""

    def replaced(path: str) -> bool:
        old: Any = before
        new: Any = after
        for key in str(path).split("."):
            old, new = old.get(key), new.get(key)
            if not isinstance(old, Mapping) or not isinstance(new, Mapping):
                return False
            if other_kind(old, new):
                return True
        return False

    return {path: reason for path, reason in assumptions.items() if not replaced(path)}


def get_field(scenario: Scenario, path: str, source: str = "") -> Any:
    """The value of a dotted field; an unknown one is refused with the nearest valid name."""
    node: Any = scenario
    for key in path.split("."):
        fields = node.__pydantic_fields__ if isinstance(node, BaseModel) else {}
        if key not in fields:
            hint = suggest(key, fields) if fields else "it has no fields"
            fault = UnknownField(path, f"at '{key}'; {hint}")
            raise InputError(f"{source}: {fault}") if source else fault
        node = getattr(node, key)
    return node
