"""What each request costs at least, wherever it goes and whoever is there."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain

import numpy as np

from anarchy.common.errors import InputError
from anarchy.config.scenario import Scenario
from anarchy.config.workload import Prompts, Synthetic
from anarchy.measure.bracket.service_limits import ServiceLimits
from anarchy.serving.log.request_log import Floats, Ints, RequestLog
from anarchy.workload.traces import TraceData


@dataclass(frozen=True)
class Requests:
    """The sizes of requests: prompt and output tokens, and how many of the prompt's are computed.

    `computed` are the fewest tokens that prefill may have to compute: all but what may be cached.
    """

    input_tokens: Ints
    output_tokens: Ints
    computed: Ints

    def __len__(self) -> int:
        return len(self.input_tokens)

    @property
    def context(self) -> tuple[int, int]:
        """The shortest and the longest context of a decode step."""
        return int(self.input_tokens.min()), int((self.input_tokens + self.output_tokens).max())


@dataclass(frozen=True)
class LeastCosts:
    """Lower bounds of each request's times, seconds from its arrival, and of its prefill work."""

    work: Floats  # on a prefill worker of speed 1
    prefilled: Floats
    handed_over: Floats
    first_token: Floats
    done: Floats


def fewest_computed(
    scenario: Scenario,
    tokens: Ints,
    tenants: Ints,
    trace: TraceData | None = None,
    rows: Ints | None = None,
) -> Ints:
    """The fewest of each prompt's `tokens` that may have to be computed: those that nobody shares.

    At least one is, and a cache keeps whole blocks. Templates are their tenants', `rows` those of a
    recorded workload's `trace`; without it all of its prompts' tokens but one may be cached.
    """
    if not scenario.engine.cache.enabled:
        return tokens
    if isinstance(scenario.workload, Synthetic):
        block = scenario.engine.cache.block_tokens
        parts: list[Prompts] = [*scenario.tenants] or [scenario.workload]
        templates = np.array([part.input_tokens for part in parts])[tenants]
        shared = np.minimum(tokens, templates) // block * block
    elif trace is None:
        shared = tokens
    else:
        shared = (trace.block_tokens or 1) * _shared_blocks(trace)[rows]
    computed: Ints = tokens - np.minimum(shared, tokens - 1)
    return computed


def check_recorded(log: RequestLog, trace: TraceData | None) -> None:
    """Refuse a log whose requests are not the rows of the trace that it says they are."""
    if trace is None:
        return
    rows = log.prompt
    if (rows >= len(trace)).any() or (trace.input_tokens[rows] != log.input_tokens).any():
        raise InputError("bracket: the log has requests that are no rows of the scenario's trace")


def _shared_blocks(trace: TraceData) -> Ints:
    """How many leading blocks of each prompt some other prompt has, too."""
    uses = Counter(chain.from_iterable(trace.blocks))
    own = (next((k for k, b in enumerate(p) if uses[b] < 2), len(p)) for p in trace.blocks)
    return np.fromiter(own, np.int64, len(trace))


def least_costs(requests: Requests, limits: ServiceLimits) -> LeastCosts:
    """Frontend, the shortest step that may compute it, hand-off, and steps of the best batch."""
    scenario = limits.scenario
    fastest = max(limits.prefill_speeds)
    alone = _by_value(limits.shortest_step, requests.computed) / fastest
    prefilled = scenario.frontend.overhead + alone
    handed_over = prefilled + _by_value(limits.handoff, requests.input_tokens)
    steps = limits.decode_steps(requests.context[0])
    step = float(steps.min()) / max(limits.decode_speeds)
    first_token = {
        "prefill": prefilled,
        "handoff": handed_over,
        "decode-step": handed_over + step,
    }
    return LeastCosts(
        work=limits.work(requests.computed.tolist()),
        prefilled=prefilled,
        handed_over=handed_over,
        first_token=first_token[scenario.engine.first_token],
        done=handed_over + step * requests.output_tokens,
    )


def _by_value(seconds: Callable[[int], float], tokens: Ints) -> Floats:
    """A function of whole numbers at each of them, called once a value."""
    values, place = np.unique(tokens, return_inverse=True)
    found: Floats = np.array([seconds(int(value)) for value in values])[place]
    return found
