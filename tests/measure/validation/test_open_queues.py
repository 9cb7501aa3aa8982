"""Open queues: the system is the queue it should be, and faults of any kind are found."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from anarchy.games.queueing import waiting_times
from anarchy.measure.control_variates import batch_means, zero_mean_p_value
from anarchy.measure.validation import open_queues
from anarchy.measure.validation.open_queues import (
    BATCHES,
    COMPARISONS,
    Comparison,
    check_open_queue,
)
from anarchy.measure.validation.queue_scenarios import (
    DETERMINISTIC,
    EXPONENTIAL,
    MIXED,
    TOKENS,
    Queue,
    Sample,
    Service,
    run_queue,
)
from anarchy.workload.lengths import make_lengths

CERTAIN = 1e-6  # a p-value that only a fault gives


def sample(queue: Queue, load: float = 0.6, requests: int = 3000, seed: int = 1) -> Sample:
    return run_queue(queue, load, requests, np.random.default_rng(seed))


@pytest.mark.parametrize("service", [EXPONENTIAL, DETERMINISTIC])
def test_a_prefill_worker_obeys_lindleys_recursion(service: Service) -> None:
    found = sample(Queue("one", "prefill", service))
    following = np.maximum(found.wait[:-1] + found.service[:-1] - found.gap[:-1], 0)
    assert found.wait[1:] == pytest.approx(following, abs=1e-6)
    assert found.work[:-1] == pytest.approx(found.wait, abs=1e-6)
    assert found.sojourn == pytest.approx(found.wait + found.service, abs=1e-6)


def test_a_decode_worker_serves_from_one_queue() -> None:
    servers = 3
    found = sample(Queue("many", "decode", EXPONENTIAL, servers), load=0.8)
    arrival = np.concatenate([[0], np.cumsum(found.gap[:-1])])
    # Kiefer and Wolfowitz from the first request that finds nothing to do.
    first = int(np.flatnonzero(found.work[:-1] < 1e-6)[0])
    free = np.zeros(servers)
    for i in range(first, len(arrival)):
        at = int(free.argmin())
        start = max(arrival[i], free[at]) if i > first else arrival[i]
        assert found.wait[i] == pytest.approx(start - arrival[i], abs=1e-3)
        free[at] = start + found.service[i]


def test_a_shared_worker_divides_its_time() -> None:
    """Two requests together take as long as one after the other, and share until one ends."""
    found = sample(Queue("shared", "shared", DETERMINISTIC), load=0.3)
    alone = (found.work[:-1] < 1e-9) & (found.gap > 1.0)
    assert alone.any()
    assert found.sojourn[alone] == pytest.approx(np.ones(alone.sum()), abs=1e-4)
    gap = found.gap[:-2]
    pair = (found.work[:-3] < 1e-9) & (gap < 0.9) & (found.gap[1:-1] > 2.0)
    assert pair.any()
    # The second one comes when `gap` is done: the rest of the first takes twice as long.
    assert found.sojourn[:-2][pair] == pytest.approx((2 - gap)[pair], abs=1e-3)
    assert found.sojourn[1:-1][pair] == pytest.approx((2 - gap)[pair], abs=1e-3)


@pytest.mark.parametrize("service", [EXPONENTIAL, DETERMINISTIC, MIXED])
def test_moments_of_the_services(service: Service) -> None:
    parameters = service.law.model_dump(exclude={"kind"})
    law = make_lengths(service.law.kind, parameters)
    drawn = law.sample(np.random.default_rng(0), 400_000) / TOKENS
    assert drawn.mean() == pytest.approx(1.0, abs=0.01)
    assert (drawn**2).mean() == pytest.approx(service.second_moment, rel=0.02)


@pytest.mark.parametrize("name", ["mm1", "ps-mixed"])
def test_a_queue_agrees_with_its_closed_form(name: str) -> None:
    for row in check_open_queue(name, seed=3, effort=0.2, loads=(0.5, 0.8)):
        assert row["p"] is None or row["p"] > 1e-3
        if row["quantity"] == "mean sojourn":
            assert row["half_width"] < 0.03
            assert row["half_width"] < row["plain"]


def rows_of(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> dict[str, dict[str, object]]:
    monkeypatch.setitem(COMPARISONS, comparison.queue.name, comparison)
    rows = check_open_queue(comparison.queue.name, seed=5, effort=0.2, loads=(0.8,))
    return {str(row["quantity"]): row for row in rows}


def test_a_wrong_closed_form_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(
        COMPARISONS["mm1"], mean=lambda load: 1.06 * waiting_times.mm1_mean(load), tail=None
    )
    assert rows_of(wrong, monkeypatch)["mean sojourn"]["p"] < CERTAIN  # type: ignore[operator]


def test_a_wrong_tail_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(
        COMPARISONS["mm1"], tail=lambda load, time: waiting_times.mm1_tail(load, time / 1.2)
    )
    assert rows_of(slow, monkeypatch)["P99 of the sojourn"]["p"] < CERTAIN  # type: ignore[operator]


@pytest.mark.parametrize("factor", [0.95, 1.05])
def test_a_simulator_that_serves_too_fast_or_too_slow_is_found(
    factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Controls make the interval narrow; they do not pull a wrong mean to the right one."""

    def faulty(*given) -> Sample:  # type: ignore[no-untyped-def]
        found = run_queue(*given)
        return replace(found, sojourn=factor * found.sojourn)

    monkeypatch.setattr(open_queues, "run_queue", faulty)
    comparison = replace(COMPARISONS["mm1"], tail=None)
    row = rows_of(comparison, monkeypatch)["mean sojourn"]
    assert row["p"] < CERTAIN  # type: ignore[operator]
    assert row["value"] == pytest.approx(5 * factor, rel=0.01)


def test_arrivals_at_another_rate_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the controls take for granted is tested on its own."""
    monkeypatch.setattr(
        open_queues,
        "run_queue",
        lambda queue, load, *rest: run_queue(queue, 0.95 * load, *rest),
    )
    rows = rows_of(replace(COMPARISONS["mm1"], tail=None), monkeypatch)
    assert rows["laws of arrivals and lengths"]["p"] < 1e-4  # type: ignore[operator]


def test_lengths_that_depend_on_the_load_are_found() -> None:
    """A server that is quicker when it has more to do feeds the controls wrongly."""
    found = sample(Queue("one", "prefill", EXPONENTIAL), load=0.8, requests=50_000)
    order = np.argsort(np.random.default_rng(1).random(len(found.service)))
    independent = found.work[:-1] * (found.service[order] - 1)
    dependent = found.work[:-1] * (found.service * np.where(found.work[:-1] > 4, 0.9, 1.1) - 1)
    p = [
        zero_mean_p_value(batch_means(column, BATCHES)[:, None])
        for column in (independent, dependent)
    ]
    assert p[0] > 0.01
    assert p[1] < 0.01


def test_the_decay_rate_of_md1() -> None:
    for load in (0.3, 0.7, 0.95):
        rate = open_queues._md1_decay(load)
        assert rate == pytest.approx(load * np.expm1(rate), rel=1e-9)
        far = [waiting_times.md1_tail(load, t) for t in (6.0, 8.0)]
        assert np.log(far[0] / far[1]) / 2 == pytest.approx(rate, rel=0.01)


def test_the_noise_of_excursions_has_mean_zero() -> None:
    comparison = COMPARISONS["mm1"]
    time = waiting_times.quantile(partial(waiting_times.mm1_tail, 0.6), 0.99)
    means = [
        open_queues._excursions(
            comparison, 0.6, sample(comparison.queue, requests=5000, seed=seed), 20, time
        ).mean()
        for seed in range(20)
    ]
    error = np.std(means, ddof=1) / np.sqrt(len(means))
    assert abs(np.mean(means)) < 4 * error


def test_equal_seeds_give_equal_rows() -> None:
    first, second = (check_open_queue("md1", 9, 0.01, (0.5,)) for _ in range(2))
    assert first == second
