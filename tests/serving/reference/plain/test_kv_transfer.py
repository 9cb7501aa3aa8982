"""The hand-off link: who waits, for how long, and that nothing is lost or carried for free."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.engine import Handoff
from anarchy.config.scenario import Scenario
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.plain.kv_transfer import Links
from anarchy.serving.service_times.lookup import Latency, load_latency
from anarchy.serving.simulate import simulate
from tests.serving.conftest import changed

ROUNDING = 1e-9  # seconds; what sums in another order may differ by

Sent = tuple[float, int]  # time of the end of prefill, tokens; a token takes a second


def carry(
    link: str,
    sent: list[Sent],
    overhead: float = 0.0,
    workers: list[int] | None = None,
    scope: str = "worker",
    abort: tuple[float, int] | None = None,
) -> list[float]:
    """When each transfer arrives; nan for one that does not."""
    events = EventQueue()
    arrived = [float("nan")] * len(sent)
    workers = workers or [0] * len(sent)

    def deliver(request: Request) -> None:
        assert np.isnan(arrived[request.prompt]), "delivered twice"
        arrived[request.prompt] = events.now

    handoff = Handoff(overhead=overhead, bandwidth=1.0, link=link, scope=scope)  # type: ignore[arg-type]
    links = Links(max(workers) + 1, events, handoff, 1, deliver)
    for number, (time, tokens) in enumerate(sent):
        request = Request(number, tokens, 1, (), 1)
        request.prefill_worker = workers[number]
        request.callbacks = (links.send,)
        events.at(time, request)
    if abort is not None:
        time, worker = abort
        event = Request(0, 1, 1, (), 1)
        event.callbacks = (lambda _: links.abort(worker),)
        events.at(time, event)
    events.run()
    return arrived


def shared_by_hand(sent: list[Sent]) -> list[float]:
    """Processor sharing without virtual time: what is left of each, from event to event."""
    coming = sorted(range(len(sent)), key=lambda i: sent[i][0])
    left: dict[int, float] = {}
    ends = [0.0] * len(sent)
    now = 0.0
    while coming or left:
        arrival = sent[coming[0]][0] if coming else np.inf
        end = now + min(left.values()) * len(left) if left else np.inf
        if arrival <= end:
            left = {i: rest - (arrival - now) / len(left) for i, rest in left.items()}
            now = arrival
            number = coming.pop(0)
            left[number] = float(sent[number][1])
        else:
            served = min(left.values())
            now = end
            for i in [i for i, rest in left.items() if rest <= served]:
                ends[i] = now
                del left[i]
            left = {i: rest - served for i, rest in left.items()}
    return ends


def test_two_simultaneous_transfers_share_or_wait() -> None:
    both = [(1.0, 3), (1.0, 3)]
    assert carry("none", both) == [4.0, 4.0]
    assert carry("fair", both) == [7.0, 7.0]
    assert carry("fifo", both) == [4.0, 7.0]


def test_shares_by_hand() -> None:
    # Alone for 2 s, halves until the second is done at 6 s, alone again.
    assert carry("fair", [(0.0, 5), (2.0, 2)]) == [7.0, 6.0]


def test_set_up_keeps_nobody_from_the_link() -> None:
    assert carry("fifo", [(0.0, 3), (0.0, 3)], overhead=10.0) == [13.0, 16.0]
    assert carry("fair", [(0.0, 3), (0.0, 3)], overhead=10.0) == [16.0, 16.0]


def test_workers_have_their_own_links_unless_there_is_one_for_all() -> None:
    both = [(0.0, 3), (0.0, 3)]
    assert carry("fifo", both, workers=[0, 1]) == [3.0, 3.0]
    assert carry("fifo", both, workers=[0, 1], scope="cluster") == [3.0, 6.0]


@pytest.mark.parametrize(("link", "expected"), [("none", 5.0), ("fifo", 8.0), ("fair", 6.5)])
def test_an_aborted_transfer_leaves_the_link_to_the_others(link: str, expected: float) -> None:
    # The first is given up at 3 s, when fifo has carried nothing of the second's 5 s, fair 1.5 s.
    found = carry(link, [(0.0, 9), (0.0, 5)], workers=[0, 1], scope="cluster", abort=(3.0, 0))
    assert found == pytest.approx([np.nan, expected], nan_ok=True)


def test_a_transfer_aborted_in_set_up_never_arrives() -> None:
    for link in ("none", "fifo", "fair"):
        found = carry(
            link, [(0.0, 2), (0.0, 2)], 5.0, workers=[0, 1], scope="cluster", abort=(1.0, 0)
        )
        assert found == pytest.approx([np.nan, 7.0], nan_ok=True)


sendings = st.lists(
    st.tuples(st.integers(0, 60).map(lambda n: n / 4), st.integers(1, 20)), min_size=1, max_size=25
)


@settings(max_examples=200, deadline=None)
@given(sent=sendings)
def test_fair_link_equals_sharing_step_by_step(sent: list[Sent]) -> None:
    assert carry("fair", sent) == pytest.approx(shared_by_hand(sent), abs=ROUNDING)


@settings(max_examples=100, deadline=None)
@given(sent=sendings)
def test_a_link_conserves_work(sent: list[Sent]) -> None:
    """Both disciplines are busy at the same times, and are never idle with work at hand."""
    busy_until = 0.0
    for time, tokens in sorted(sent):
        busy_until = max(busy_until, time) + tokens
    for link in ("fifo", "fair"):
        arrived = carry(link, sent)
        assert not np.isnan(arrived).any(), "a transfer was lost"
        assert max(arrived) == pytest.approx(busy_until, abs=ROUNDING)
        alone = [time + tokens for time, tokens in sent]
        assert (np.array(arrived) >= np.array(alone) - ROUNDING).all()


@settings(max_examples=100, deadline=None)
@given(sent=sendings)
def test_fifo_delivers_in_order(sent: list[Sent]) -> None:
    sent = sorted(sent, key=lambda item: item[0])
    assert (np.diff(carry("fifo", sent)) > 0).all()


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 20)), min_size=1, max_size=20),
    overhead=st.sampled_from([0.0, 0.7]),
)
def test_links_are_alike_for_transfers_that_never_meet(
    steps: list[tuple[float, int]], overhead: float
) -> None:
    sent, now = [], 0.0
    for gap, tokens in steps:
        sent.append((now, tokens))
        now += overhead + tokens + gap + ROUNDING
    expected = carry("none", sent, overhead)
    for link in ("fifo", "fair"):
        assert carry(link, sent, overhead) == pytest.approx(expected, abs=ROUNDING)


def test_a_slow_link_is_the_bottleneck(published: Scenario, latency: Latency) -> None:
    """20 ms for one prompt: a shared link passes 50 requests a second, whatever the discipline."""
    bandwidth = 128 * published.model.kv_bytes_per_token / 0.02
    throughput = {}
    for link in ("none", "fifo", "fair"):
        scenario = changed(
            published,
            workload__clients=200,
            engine__handoff={"overhead": 0.005, "bandwidth": bandwidth, "link": link},
        )
        run = simulate(scenario, latency, seed=1, requests=6000)
        assert run.measured.sum() == 6000
        throughput[link] = 6000 / (run.end - run.start)
        travel = run.log.routed - run.log.prefill_end
        assert travel.min() > 0.025 - ROUNDING
        if link == "none":
            assert travel == pytest.approx(0.025)
        if link == "fifo":
            assert (np.diff(np.sort(run.log.routed)) > 0.02 - ROUNDING).all(), "one at a time"
    # The window's edges cut into at most 200 of 6000 transfers.
    assert throughput["fifo"] == pytest.approx(50, rel=200 / 6000)
    assert throughput["fair"] == pytest.approx(50, rel=200 / 6000)
    assert throughput["none"] > 75


def test_a_fast_link_changes_nothing_for_one_client(published: Scenario) -> None:
    alone = changed(published, workload__clients=1)
    table = "llama31-70b-fp8-tp4-b200-trtllm"
    logs = [
        simulate(
            changed(alone, engine__handoff__link=link),
            load_latency(paths.ROOT / paths.LATENCY, table),
            seed=1,
            requests=50,
        ).log
        for link in ("none", "fifo", "fair")
    ]
    for log in logs[1:]:
        assert log.done == pytest.approx(logs[0].done, rel=1e-12)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"engine__handoff": {"link": "fifo", "bandwidth": None}},
            "link 'fifo' needs a bandwidth; allowed without: none",
        ),
        (
            {
                "engine__handoff": {"link": "fair", "bandwidth": 1.0},
                "engine__memory__paged": True,
            },
            "'handoff.link' other than none needs 'memory.paged': false",
        ),
    ],
)
def test_links_that_cannot_be_are_refused(
    published: Scenario, values: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        changed(published, **values)
