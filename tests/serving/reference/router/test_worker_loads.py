"""What replicas of a router know: against a recount from the history, and what it does to loads."""

import heapq
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.config.router import Router
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.router.policy import View, get_policy
from anarchy.serving.reference.router.worker_loads import WorkerLoads

BLOCK = 64


def request(
    blocks: tuple[int, ...] = (),
    prompt_blocks: int | None = None,
    replica: int = 0,
    output: int = 1,
) -> Request:
    size = len(blocks) if prompt_blocks is None else prompt_blocks
    made = Request(0, size * BLOCK, output, blocks, size)
    made.replica = replica
    return made


class At:
    """The loads that a router knows, at the time that each call says."""

    def __init__(self, subject: WorkerLoads, events: SimpleNamespace) -> None:
        self.subject, self.events = subject, events

    @property
    def active(self) -> list[int]:
        return self.subject.active

    def view(self, asked: Request, now: float) -> View:
        self.events.now = now
        return self.subject.view(asked)

    def placed(self, asked: Request, worker: int, now: float) -> None:
        self.events.now = now
        self.subject.placed(asked, worker)

    def ended(self, asked: Request, worker: int, now: float) -> None:
        self.events.now = now
        self.subject.ended(asked, worker)


def state(
    workers: int,
    outputs: Callable[[], list[list[tuple[Request, int]]]] = list,
    pool: str = "decode",
    **tracking: object,
) -> At:
    router = Router.model_validate({"tracking": tracking})
    events = SimpleNamespace(now=0.0)
    found = WorkerLoads(events, pool, workers, BLOCK, router, None, 256, None, outputs)  # type: ignore[arg-type]
    return At(found, events)


# A history: who was placed where and when, and when it ended.


@st.composite
def histories(draw: st.DrawFn, replicas: int = 3) -> list[tuple[float, float, Request, int]]:
    """(placed, ended, request, worker) of some requests on three workers."""
    found = []
    for _ in range(draw(st.integers(1, 12))):
        placed = draw(st.integers(0, 20)) / 2
        ended = placed + draw(st.integers(0, 10)) / 2
        names = tuple(range(10 * draw(st.integers(0, 2)), 100))[: draw(st.integers(0, 3))]
        asked = request(
            names, len(names) + draw(st.integers(0, 2)), draw(st.integers(0, replicas - 1))
        )
        found.append((placed, ended, asked, draw(st.integers(0, 2))))
    return found


def replay(subject: At, history: list[tuple[float, float, Request, int]], now: float) -> None:
    """Tell of everything up to `now`, in order of time."""
    events = []
    for number, (placed, ended, asked, worker) in enumerate(history):
        events.append((placed, 0, number, asked, worker))
        events.append((ended, 1, number, asked, worker))
    for time, kind, number, asked, worker in sorted(events, key=lambda event: event[:3]):
        if time > now:
            break
        if kind == 0:
            asked.promised = 10 * asked.prompt_blocks + number
            subject.placed(asked, worker, time)
        else:
            subject.ended(asked, worker, time)


@given(
    history=histories(),
    now=st.integers(0, 40).map(lambda tenth: tenth / 2),
    event_lag=st.sampled_from([0.0, 0.5, 3.0]),
    replica_lag=st.sampled_from([0.0, 0.5, 2.5]),
    distinct=st.booleans(),
)
def test_each_replica_knows_what_it_was_told(
    history: list[tuple[float, float, Request, int]],
    now: float,
    event_lag: float,
    replica_lag: float,
    distinct: bool,
) -> None:
    """Own placements at once, own ends after one lag, those of others after another."""
    subject = state(
        3,
        pool="prefill",
        replicas=3,
        event_lag=event_lag,
        replica_lag=replica_lag,
        active_blocks="distinct" if distinct else "per-request",
    )
    replay(subject, history, now)
    for replica in range(3):
        asker = request(replica=replica)
        view = subject.view(asker, now)
        for worker in range(3):
            known = [
                (number, asked)
                for number, (placed, ended, asked, place) in enumerate(history)
                if place == worker
                and placed + replica_lag * (asked.replica != replica) <= now
                and not ended + event_lag + replica_lag * (asked.replica != replica) <= now
            ]
            assert view.active[worker] == len(known)
            assert view.queued_tokens[worker] == sum(10 * r.prompt_blocks + n for n, r in known)
            if distinct:
                names = {name for _, r in known for name in r.blocks}
                blocks = len(names) + sum(r.prompt_blocks - len(r.blocks) for _, r in known)
            else:
                blocks = sum(r.prompt_blocks for _, r in known)
            assert view.active_blocks[worker] == blocks


@given(history=histories(replicas=1), now=st.integers(0, 40).map(lambda tenth: tenth / 2))
def test_one_replica_that_is_told_at_once_knows_the_truth(
    history: list[tuple[float, float, Request, int]], now: float
) -> None:
    subject = state(3)
    replay(subject, history, now)
    view = subject.view(request(), now)
    true = [
        sum(place == worker and placed <= now < ended for placed, ended, _, place in history)
        for worker in range(3)
    ]
    assert view.active == true == subject.active


@given(history=histories(), lag=st.sampled_from([0.0, 4.0]))
def test_the_true_loads_are_kept_beside_what_is_told(
    history: list[tuple[float, float, Request, int]], lag: float
) -> None:
    subject = state(3, replicas=3, event_lag=lag, replica_lag=lag)
    replay(subject, history, 6.0)
    for worker in range(3):
        assert subject.active[worker] == sum(
            place == worker and placed <= 6 < ended for placed, ended, _, place in history
        )


def test_the_view_is_of_the_request() -> None:
    asked = Request(0, 200, 17, (1, 2, 3), 4)
    view = state(2).view(asked, 0.0)
    assert (view.prompt_blocks, view.blocks, view.input_tokens) == (4, (1, 2, 3), 200)
    assert view.output_tokens == 17


# What counts.


def test_identical_prompts_count_as_one_where_blocks_are_distinct() -> None:
    for count in (1, 2, 9):
        shared, plain = state(1, active_blocks="distinct"), state(1)
        for _ in range(count):
            asked = request((1, 2, 3), prompt_blocks=4)
            shared.placed(asked, 0, 0.0)
            plain.placed(asked, 0, 0.0)
        # The last, partial block has no name and is everybody's own.
        assert shared.view(request(), 0.0).active_blocks == [3 + count]
        assert plain.view(request(), 0.0).active_blocks == [4 * count]


def test_a_shared_prompt_adds_what_is_not_there() -> None:
    subject = state(3, active_blocks="distinct")
    subject.placed(request((1, 2, 3)), 0, 0.0)
    subject.placed(request((1, 2, 9)), 1, 0.0)
    view = subject.view(request((1, 2, 3), prompt_blocks=4), 0.0)
    assert view.added_blocks == [1, 2, 4]
    assert get_policy("kv")(Router()).costs(view) == [4.0, 5.0, 4.0]
    assert state(3).view(request((1, 2, 3)), 0.0).added_blocks is None


def test_the_load_signal_of_templates_saturates() -> None:
    """With five templates of which a worker has each, more requests weigh nothing."""
    subject = state(1, active_blocks="distinct")
    for number in range(40):
        template = number % 5
        subject.placed(request((2 * template, 2 * template + 1)), 0, 0.0)
    assert subject.view(request((0, 1)), 0.0).active_blocks == [10]


def test_generated_blocks_count_if_told_to() -> None:
    # A prompt of 2.5 blocks: its third one has room for 32 output tokens.
    asked = Request(0, 160, 500, (1, 2), 3)
    for made, blocks in ((0, 3), (32, 3), (33, 4), (96, 4), (97, 5)):
        outputs = [[(asked, made)], []]
        counted = state(2, lambda outputs=outputs: outputs, generated_blocks=True)
        counted.placed(asked, 0, 0.0)
        assert counted.view(request(), 0.0).active_blocks == [blocks, 0]
        plain = state(2, lambda outputs=outputs: outputs)
        plain.placed(asked, 0, 0.0)
        assert plain.view(request(), 0.0).active_blocks == [3, 0]


def test_generated_blocks_are_seen_by_the_replica_that_streams_them() -> None:
    asked = request((1, 2), replica=1)
    subject = state(1, lambda: [[(asked, 100)]], generated_blocks=True, replicas=2)
    subject.placed(asked, 0, 0.0)
    seen = [subject.view(request(replica=replica), 0.0).active_blocks for replica in (0, 1)]
    assert seen == [[2], [4]]


def test_generated_blocks_stay_until_the_end_is_told() -> None:
    asked = request((1, 2), output=100)
    running: list[tuple[Request, int]] = [(asked, 99)]
    subject = state(1, lambda: [running], generated_blocks=True, event_lag=1.0)
    subject.placed(asked, 0, 0.0)
    assert subject.view(request(), 5.0).active_blocks == [4]
    running.clear()
    subject.ended(asked, 0, 5.0)
    assert subject.view(request(), 5.9).active_blocks == [4]
    assert subject.view(request(), 6.0).active_blocks == [0]


def test_an_unknown_worker_seems_to_carry_the_prompt() -> None:
    subject = state(3, unregistered_penalty=True)
    asked = request((1, 2), prompt_blocks=4)
    assert subject.view(asked, 0.0).active_blocks == [4, 4, 4]
    subject.placed(asked, 1, 0.0)
    subject.ended(asked, 1, 1.0)
    assert subject.view(asked, 1.0).active_blocks == [4, 0, 4], "known for good"
    assert state(3).view(asked, 0.0).active_blocks == [0, 0, 0]
    prefill = state(3, pool="prefill", unregistered_penalty=True)
    assert prefill.view(asked, 0.0).active_blocks == [0, 0, 0], "decode workers only"


def workers_used(concurrency: int, ties: str, temperature: float, **tracking: object) -> int:
    """Of five workers, those that get single-turn prompts of a closed loop of clients."""
    subject = state(5, **tracking)
    policy = get_policy("kv")(Router.model_validate({"ties": ties, "temperature": temperature}))
    draws = iter(np.random.default_rng(5).random(10_000).tolist())
    running: list[tuple[Request, int]] = []
    used = set()
    for number in range(512):
        now = float(number)
        if len(running) == concurrency:
            subject.ended(*running.pop(0), now)
        asked = request((3 * number, 3 * number + 1, 3 * number + 2))
        view = subject.view(asked, now)
        worker = policy.choose(view, policy.costs(view), draws, draws)
        subject.placed(asked, worker, now)
        running.append((asked, worker))
        used.add(worker)
    return len(used)


@pytest.mark.parametrize(("concurrency", "ties"), [(3, "random"), (5, "first"), (6, "first")])
def test_three_of_five_workers_take_all_traffic(concurrency: int, ties: str) -> None:
    """The greedy router tries an unknown worker only when all known ones carry two prompts."""
    assert workers_used(concurrency, ties, 0.0, unregistered_penalty=True) == 3
    assert workers_used(concurrency, ties, 1.0, unregistered_penalty=True) == 5
    assert workers_used(concurrency, "random", 0.0) == 5


def test_enough_clients_reach_all_workers_in_spite_of_the_penalty() -> None:
    used = [workers_used(c, "first", 0.0, unregistered_penalty=True) for c in range(1, 12)]
    assert used == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5]


# Herding.

WORKERS = 8
SEEDS = 5


def imbalance(replicas: int, lag: float) -> float:
    """Mean over arrivals of (most - least) requests on eight equal exponential servers.

    Poisson arrivals at 80 % of their capacity join what the replica believes to be the shortest
    queue; each server takes its requests one by one, at one per second.
    """
    found = []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        subject = state(WORKERS, replicas=replicas, replica_lag=lag)
        policy = get_policy("join-shortest-queue")(Router(ties="random"))
        free = [0.0] * WORKERS
        ends: list[tuple[float, int, Request, int]] = []
        now, spread = 0.0, []
        for number in range(1500):
            now += rng.exponential(1 / (0.8 * WORKERS))
            while ends and ends[0][0] <= now:
                ended, _, gone, server = heapq.heappop(ends)
                subject.ended(gone, server, ended)
            asked = request((number,), replica=number % replicas)
            view = subject.view(asked, now)
            draw = iter([rng.random()])
            worker = policy.choose(view, policy.costs(view), draw, draw)
            subject.placed(asked, worker, now)
            free[worker] = max(free[worker], now) + rng.exponential(1.0)
            heapq.heappush(ends, (free[worker], number, asked, worker))
            spread.append(max(subject.active) - min(subject.active))
        found.append(float(np.mean(spread)))
    return float(np.mean(found))


def test_replicas_that_are_told_late_herd() -> None:
    """The imbalance grows with the lag and with the number of replicas."""
    alone = imbalance(1, 3.0)
    assert imbalance(1, 0.0) == alone, "nobody tells a replica anything"
    by_lag = [imbalance(4, lag) for lag in (0.0, 1.0, 3.0)]
    assert by_lag[0] == alone, "replicas that are told at once are one"
    assert by_lag[0] * 1.1 < by_lag[1]
    assert by_lag[1] * 1.1 < by_lag[2]
    by_replicas = [alone, *(imbalance(replicas, 3.0) for replicas in (2, 8))]
    assert by_replicas[0] * 1.1 < by_replicas[1]
    assert by_replicas[1] * 1.1 < by_replicas[2]


def test_views_of_replicas_are_their_own() -> None:
    subject = state(2, replicas=2, replica_lag=9.0)
    subject.placed(request((1,), replica=0), 0, 0.0)
    first: View = subject.view(request(replica=0), 1.0)
    second: View = subject.view(request(replica=1), 1.0)
    assert (first.active, second.active) == ([1, 0], [0, 0])
