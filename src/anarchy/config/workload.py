"""`workload`: what is asked and when."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from anarchy.config.base import (
    Clients,
    Count,
    Duration,
    Factor,
    FilePath,
    Load,
    Model,
    Name,
    Rate,
    Seconds,
    Seed,
    Title,
    Tokens,
    Whole,
)


class FixedLengths(Model):
    """Always the same length."""

    kind: Literal["fixed"]
    tokens: Count


class GeometricLengths(Model):
    """1, 2, ... tokens without memory."""

    kind: Literal["geometric"]
    mean_tokens: Annotated[Tokens, Field(ge=1)]


class ExponentialLengths(Model):
    """Exponential, rounded, at least 1."""

    kind: Literal["exponential"]
    mean_tokens: Annotated[Tokens, Field(gt=0)]


class LogNormalLengths(Model):
    """exp of a normal law around log(median)."""

    kind: Literal["log-normal"]
    median: Annotated[Tokens, Field(gt=0)]
    sigma: Annotated[float, Field(ge=0, le=100)]


class QuantileLengths(Model):
    """An empirical law: values at levels from 0 to 1, linear between them."""

    kind: Literal["quantiles"]
    levels: list[Annotated[float, Field(ge=0, le=1)]]
    values: list[Tokens]


LengthLaw = Annotated[
    FixedLengths | GeometricLengths | ExponentialLengths | LogNormalLengths | QuantileLengths,
    Field(discriminator="kind"),
]


class Prompts(Model):
    """What is asked: a prompt is the beginning of one of a few equally likely templates.

    A prompt longer than the template's `input_tokens` goes on with text of its own.
    """

    templates: Annotated[Whole, Field(ge=1, le=100_000)] = 5
    input_tokens: Count = Field(description="tokens of each template")
    output_tokens: Count
    input_lengths: LengthLaw | None = Field(None, description="null is always input_tokens")
    output_lengths: LengthLaw | None = Field(None, description="null is always output_tokens")


class Slo(Model):
    """A tenant's service-level objectives: bounds in seconds; null is none."""

    ttft: Duration | None = None
    itl: Duration | None = None


class Tenant(Prompts):
    """A class of requests with prompts and service-level objectives of its own."""

    name: Name
    share: Factor = Field(description="of the requests, relative to the other tenants' shares")
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


class ClientPhase(Model):
    """A stretch with a constant number of clients."""

    name: Name | None = Field(None, description="by which it is measured")
    duration: Duration = Field(description="seconds")
    clients: Clients | None = Field(None, description="null is all of them")


class ClosedLoop(Synthetic):
    """C clients, each with one request in flight; prompts drawn from a few templates.

    With phases the run ends with the last of them, all of it is measured, and no number of
    requests is asked for. Clients that are too many for a phase stop when their request is done.
    """

    kind: Literal["closed-loop"]
    clients: Clients
    think_time: Seconds = Field(0.002, description="mean of the exponential think time")
    ramp: Seconds | None = Field(
        None,
        description="seconds within which the clients begin, at random, and later those that a "
        "phase adds; null is one unloaded cycle",
    )
    phases: list[ClientPhase] = Field(default=[], description="how many clients there are and when")

    @model_validator(mode="after")
    def _phases_have_names_of_their_own(self) -> Self:
        names = [phase.name for phase in self.phases if phase.name is not None]
        if len({*names}) < len(names):
            raise ValueError("phases: a name occurs twice")
        return self

    @model_validator(mode="after")
    def _phases_have_so_many_clients(self) -> Self:
        for number, phase in enumerate(self.phases):
            if phase.clients is not None and phase.clients > self.clients:
                raise ValueError(
                    f"phases.{number}.clients ({phase.clients}) must not be above clients "
                    f"({self.clients})"
                )
        return self


class Poisson(Synthetic):
    """Poisson arrivals of templated prompts."""

    kind: Literal["poisson"]
    rate: Rate = Field(description="requests per second")


class Mmpp(Synthetic):
    """Poisson arrivals whose rate follows a Markov chain: bursts."""

    kind: Literal["mmpp"]
    rates: list[Load] = Field(min_length=2, description="requests per second, by state")
    switching: list[list[Annotated[float, Field(ge=-1e6, le=1e6)]]] = Field(
        description="generator matrix: transitions per second, rows sum to 0"
    )
    speed: Factor = Field(1.0, description="2 runs twice as fast")


class Phase(Model):
    """A stretch of constant load."""

    duration: Duration = Field(description="seconds; the last phase goes on as long as needed")
    rate: Load = Field(description="requests per second")


class Phases(Synthetic):
    """Poisson arrivals whose rate steps: diurnal curves, load steps."""

    kind: Literal["phases"]
    phases: list[Phase] = Field(min_length=1)
    speed: Factor = Field(1.0, description="2 runs twice as fast")

    @model_validator(mode="after")
    def _goes_on(self) -> Self:
        if self.phases[-1].rate == 0:
            raise ValueError("the last phase needs a rate above 0, because it goes on")
        return self


class Trace(Model):
    """Arrivals, lengths and prefix blocks of a recorded trace."""

    kind: Literal["trace"]
    trace: FilePath = Field(description="a name of config/traces.yaml, or the path of a trace file")
    rows: Count | None = Field(None, description="only the first rows; null is all")
    speed: Factor = Field(1.0, description="2 replays twice as fast")


class SyntheticTrace(Model):
    """A synthetic trace with the statistics of a recorded one."""

    kind: Literal["synthetic-trace"]
    parameters: Name = Field(description="parameters: a file of config/synthetic-traces")
    rows: Annotated[Whole, Field(ge=1, le=10_000_000)] = Field(description="requests")
    speed: Factor = Field(1.0, description="2 replays twice as fast")
    seed: Seed | None = Field(
        None, description="one trace for all replications; null gives each replication its own"
    )


class Custom(Model):
    """A workload that a plugin registers."""

    kind: Literal["custom"]
    workload: Title = Field(description="a registered workload: see `anarchy list`")
    parameters: dict[str, Any] = {}


Workload = Annotated[
    ClosedLoop | Poisson | Mmpp | Phases | Trace | SyntheticTrace | Custom,
    Field(discriminator="kind"),
]
