"""Routing policies: pure functions from what the router sees of the workers to a choice.

A policy is one class: give it a name with `@register("name")` and a `costs` method, and a
scenario finds it by that name. Lower cost wins; temperature and ties are handled here for all.

Source: Dynamo's KV router of early 2026, cost = overlap weight * prefill blocks + decode blocks,
softmax over costs divided by their range, ties to the smaller cache and then at random.
"""

import importlib.util
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anarchy.common.errors import InputError
from anarchy.common.registry import Registry, restored
from anarchy.config.router import Router as Parameters
from anarchy.serving.reference.core.request import PoolName
from anarchy.serving.service_times.lookup import Latency


@dataclass(slots=True)
class View:
    """What a router sees when it places one request; lists have one entry per worker of the pool.

    What the router has been told may be late and its counts wrong (see `worker_loads`); the service
    times and `outputs` are the truth. A prompt's last block may be partial and counts as one.
    """

    pool: PoolName
    """The pool that the request is to be sent to."""
    block_tokens: int
    """Tokens of a block."""
    prompt_blocks: int
    """Blocks of the request's prompt."""
    overlaps: Sequence[int]
    """Leading blocks of the prompt that each worker has cached."""
    queued_tokens: Sequence[int]
    """Uncached tokens that wait for prefill on each worker or are in it; 0 in the decode pool."""
    active_blocks: Sequence[int]
    """Blocks of the requests that the router placed on each worker and that are not done there."""
    active: Sequence[int]
    """The number of those requests."""
    cache_sizes: Callable[[], Sequence[int]] | None
    """Blocks that each worker has cached; None if the router does not see the caches."""
    added_blocks: Sequence[int] | None
    """What the request would add to `active_blocks`; None if that is `prompt_blocks` everywhere."""
    blocks: Sequence[int]
    """Names of the prompt's leading blocks, each of which stands for the whole prefix up to it."""
    input_tokens: int
    """Tokens of the prompt."""
    output_tokens: int
    """How long the output will be: nobody but a clairvoyant may look."""
    slots: int
    """Most requests that a decode worker runs at once."""
    service: Latency
    """Service times to predict with."""
    outputs: Callable[[], list[list[tuple[int, int]]]]
    """Output tokens left and tokens of context of each request on each decode worker, in order of
    admission: for the clairvoyant only."""
    by_tier: Callable[[Sequence[int]], list[list[int]]] | None = None
    """The overlaps of a prompt's blocks in HBM, host memory, disk and network; None: HBM alone."""
    speeds: Sequence[float] | None = None
    """What to divide the seconds of `service` by on each worker; None: all take as long."""


def potential_blocks(view: View) -> list[float]:
    """The blocks of the requests on each worker with the new one among them."""
    if view.added_blocks is None:
        prompt_blocks = float(view.prompt_blocks)
        return [blocks + prompt_blocks for blocks in view.active_blocks]
    return [
        float(held + new) for held, new in zip(view.active_blocks, view.added_blocks, strict=True)
    ]


class Policy(ABC):
    """A routing policy. One instance serves one pool in one run, so it may keep state."""

    def __init__(self, parameters: Parameters) -> None:
        self.parameters = parameters

    @abstractmethod
    def costs(self, view: View) -> list[float]:
        """The cost of each worker; the lowest wins."""

    def choose(
        self, view: View, costs: list[float], ties: Iterator[float], softmax: Iterator[float]
    ) -> int:
        """The worker to take: argmin at temperature 0, a softmax draw above."""
        if self.parameters.temperature > 0:
            return softmax_choice(
                costs, self.parameters.temperature, self.parameters.normalise, next(softmax)
            )
        lowest = min(costs)
        if costs.count(lowest) == 1:
            return costs.index(lowest)
        return self._break_tie(view, costs, lowest, ties)

    def _break_tie(
        self, view: View, costs: Sequence[float], lowest: float, ties: Iterator[float]
    ) -> int:
        tied = [worker for worker, cost in enumerate(costs) if cost == lowest]
        rule = self.parameters.ties
        if rule == "first":
            return tied[0]
        if rule == "smallest-cache" and view.cache_sizes is not None:
            sizes = view.cache_sizes()
            smallest = min(sizes[worker] for worker in tied)
            tied = [worker for worker in tied if sizes[worker] == smallest]
        return tied[int(next(ties) * len(tied))]


class BatchPolicy(Policy):
    """A policy that answers later: requests are held back for it, and it places them together.

    They wait until `router.window` seconds have passed since the first of them or until there are
    `router.window_requests`; `costs` is still asked of each, for the log.
    """

    @abstractmethod
    def assign(self, views: Sequence[View]) -> list[tuple[int, int]]:
        """(position in `views`, worker) of each request, in the order in which they are sent.

        The views show the same loads, none of these requests among them.
        """


def softmax_weights(costs: Sequence[float], temperature: float, normalise: bool) -> list[float]:
    """Unnormalised softmax weights of costs: exp(-(c - min) / (scale * temperature)).

    `scale` is the range of the costs when `normalise` is set, else 1; equal costs weigh equally.
    """
    lowest = min(costs)
    scale = max(costs) - lowest if normalise else 1.0
    if scale == 0:
        return [1.0] * len(costs)
    return [math.exp(-(cost - lowest) / (scale * temperature)) for cost in costs]


def softmax_choice(
    costs: Sequence[float], temperature: float, normalise: bool, uniform: float
) -> int:
    """The worker that the uniform draw on [0, 1) falls on."""
    weights = softmax_weights(costs, temperature, normalise)
    target = uniform * sum(weights)
    for worker, weight in enumerate(weights):
        target -= weight
        if target < 0:
            return worker
    return len(weights) - 1


POLICIES: Registry[type[Policy]] = Registry("router policy")
register = POLICIES.register


def get_policy(name: str, source: str = "router.policy") -> type[Policy]:
    """The policy registered under `name`."""
    return POLICIES.find(name, source)


@contextmanager
def plugins(paths: Iterable[Path]) -> Iterator[None]:
    """Know the policies and workloads that users' Python files register, within the context only.

    So each experiment has its own, and none can lean on another's.
    """
    with restored():
        for path in paths:
            _load_plugin(path)
        yield


def _load_plugin(path: Path) -> None:
    name = f"anarchy_plugin_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(f"{path}: no such plugin file; plugins are paths of .py files")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except InputError as fault:
        raise InputError(f"{path}: {fault}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a plugin may end in anything, SystemExit too
        raise InputError(f"{path}: the plugin fails with {type(error).__name__}: {error}") from None


@register("kv")
class KvRouter(Policy):
    """Dynamo's cost of early 2026: omega * prefill blocks + active blocks.

    The prefill pool does not count active blocks and the decode pool is routed without overlap,
    unless `prefill_blocks` and `decode_overlap` say otherwise.
    """

    def costs(self, view: View) -> list[float]:
        omega = self.parameters.overlap_weight
        prompt_blocks = view.prompt_blocks
        overlaps = view.overlaps
        if view.pool == "prefill":
            tokens = view.block_tokens
            costs = [
                omega * (queued / tokens + prompt_blocks - overlaps[worker])
                for worker, queued in enumerate(view.queued_tokens)
            ]
            if not self.parameters.prefill_blocks:
                return costs
            return [
                cost + blocks for cost, blocks in zip(costs, potential_blocks(view), strict=True)
            ]
        if not self.parameters.decode_overlap:
            return potential_blocks(view)
        return [
            omega * (prompt_blocks - overlaps[worker]) + blocks
            for worker, blocks in enumerate(potential_blocks(view))
        ]


@register("kv-1.6")
class KvRouter16(Policy):
    """Dynamo's cost of version 1.6.

    omega * max(0, queued and own prompt blocks - credit for cached ones) + active blocks +
    weight of a request * active requests; the credit of a cached block depends on its tier. As in
    `kv`, the prefill pool does not count active blocks
    and the decode pool counts those alone, unless `prefill_blocks` and `decode_overlap` say
    otherwise.
    """

    def costs(self, view: View) -> list[float]:
        parameters = self.parameters
        omega, each = parameters.overlap_weight, parameters.request_weight
        prefill = view.pool == "prefill"
        if not prefill and not parameters.decode_overlap:
            omega = 0.0
        credit = self.credit(view)
        costs = [
            omega * max(0.0, queued / view.block_tokens + view.prompt_blocks - credit[worker])
            + each * view.active[worker]
            for worker, queued in enumerate(view.queued_tokens)
        ]
        if prefill and not parameters.prefill_blocks:
            return costs
        return [cost + blocks for cost, blocks in zip(costs, potential_blocks(view), strict=True)]

    def credit(self, view: View) -> Sequence[float]:
        """The uncached blocks that what each worker has cached makes up for."""
        parameters = self.parameters
        if view.by_tier is None:
            return [parameters.overlap_credit * overlap for overlap in view.overlaps]
        credits = (
            parameters.overlap_credit,
            parameters.host_credit,
            parameters.disk_credit,
            parameters.network_credit,
        )
        tiers = zip(*view.by_tier(view.blocks), strict=True)
        return [sum(c * held for c, held in zip(credits, own, strict=True)) for own in tiers]


@register("round-robin")
class RoundRobin(Policy):
    """Workers in turn, whatever their load; it looks at no cost, so it reports zeros."""

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._next = 0

    def costs(self, view: View) -> list[float]:
        return [0.0] * len(view.active)

    def choose(
        self, view: View, costs: list[float], ties: Iterator[float], softmax: Iterator[float]
    ) -> int:
        worker = self._next % len(costs)  # the pool may have shrunk
        self._next = worker + 1
        return worker
