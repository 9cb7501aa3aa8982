"""Open queues against their closed forms, from short runs with control variates.

With c servers at load rho, a request of service S and the gap T to the next arrival, the work V
that arrivals find grows by X = S - c T while all servers are busy. Whatever the simulator does, S
and T are drawn independently of V, so that these have mean zero in the steady state:

* X - E[X], and S - E[S] and S^2 - E[S^2] where service times vary;
* 2 V (X - E[X]) + X^2 - E[X^2], less the change of V^2; and the change of V.

Where V obeys the recursion V' = max(0, V + X) the last two explain nearly all of the mean's noise,
because they are the noise of V^2 along the run (Henderson and Glynn 2002). For the probability of
a long sojourn the square gives way to the function that solves the same equation for the
diffusion with the queue's decay rate; at high loads, where excursions to such sojourns are rare,
its coefficient is taken from there too.

What the controls take for granted, the laws of S and T and their independence of V, is tested on
its own (`inputs` rows).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from anarchy.games.queueing import waiting_times
from anarchy.measure.control_variates import (
    Estimate,
    batch_means,
    controlled_mean,
    quantile_interval,
    zero_mean_p_value,
)
from anarchy.measure.intervals import Interval
from anarchy.measure.validation.checks import CONFIDENCE, Row, input_check, interval_check
from anarchy.measure.validation.queue_scenarios import (
    DETERMINISTIC,
    EXPONENTIAL,
    MIXED,
    SETTLING,
    Floats,
    Queue,
    Sample,
    run_queue,
    settling,
)

LOADS = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)

MEAN_LIMITS = {0.8: 0.01, 1.0: 0.03}
"""Wanted relative half-width of a mean, by the largest load that it is for."""

TAIL_LIMIT = 0.05
"""Wanted relative half-width of a P99."""

TAIL = 0.99

BATCHES = 60
"""Batches of a point, over all of its runs."""

REQUESTS = 100_000
"""Measured requests of a point in the full build."""

TAIL_REQUESTS: dict[float, float] = {0.5: 100_000, 0.9: 300_000, 1.0: 1_000_000}
"""Measured requests of a point with a P99, by the largest load that it is for."""

FEWEST = 3000
"""Measured requests of a point in the coarsest build."""

EXCURSIONS = 24
"""A P99 is judged if the run is expected to spend its longest sojourns in so many excursions."""

FITTED_LOAD = 0.6
"""Up to this load a regression finds the coefficient of the excursions: a diffusion is a poor guess
of a queue that is often empty, and excursions are frequent. Above it theory gives it."""

RELAXATIONS, FEWEST_RELAXATIONS = 100, 20
"""Relaxation times that a point of the full build measures at least, and that a judged one has."""

FEWEST_IN_BATCH = 100
"""Requests of a batch that a judged mean has at least: shorter ones are not independent."""

RUN_REQUESTS = 8_000_000
"""Requests times servers of one run: what a run keeps of each request grows with both."""

SINGLE = 32
"""What a request keeps where there is one worker to choose, in units of one server's share."""

MANY, SLOTS = 100, 8
"""Servers of the choice of two queues, and slots of M/M/c."""


@dataclass(frozen=True)
class Comparison:
    """A queue with its closed forms: the mean sojourn by load, P(sojourn > t), and the rate at
    which the probability of more work falls, once all servers are busy."""

    queue: Queue
    label: str
    mean: Callable[[float], float]
    tail: Callable[[float, float], float] | None = None
    decay: Callable[[float], float] | None = None


def _md1_decay(load: float) -> float:
    """The theta > 0 at which E[exp(theta (S - T))] = 1 for S = 1: rho (exp(theta) - 1) = theta."""
    low, high = 1e-9, 2 * (1 / load - 1) + 50.0
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if load * math.expm1(middle) < middle:
            low = middle
        else:
            high = middle
    return low


def _mm_decay(load: float) -> float:
    return 1 - load


def _jsq_mean(load: float) -> float:
    """The mean field with its correction at `MANY` servers; what is left is of order MANY^-2."""
    return waiting_times.jsq_mean(load, 2) + waiting_times.jsq_correction(load, 2) / MANY


COMPARISONS = {
    "mm1": Comparison(
        Queue("mm1", "prefill", EXPONENTIAL),
        "M/M/1",
        waiting_times.mm1_mean,
        waiting_times.mm1_tail,
        _mm_decay,
    ),
    "md1": Comparison(
        Queue("md1", "prefill", DETERMINISTIC),
        "M/D/1",
        waiting_times.md1_mean,
        waiting_times.md1_tail,
        _md1_decay,
    ),
    "mmc": Comparison(
        Queue("mmc", "decode", EXPONENTIAL, servers=SLOTS),
        f"M/M/{SLOTS}",
        partial(waiting_times.mmc_mean, servers=SLOTS),
        lambda load, time: waiting_times.mmc_tail(load, SLOTS, time),
        _mm_decay,
    ),
    "ps-exponential": Comparison(
        Queue("ps-exponential", "shared", EXPONENTIAL), "M/M/1-PS", waiting_times.ps_mean
    ),
    "ps-fixed": Comparison(
        Queue("ps-fixed", "shared", DETERMINISTIC), "M/D/1-PS", waiting_times.ps_mean
    ),
    "ps-mixed": Comparison(Queue("ps-mixed", "shared", MIXED), "M/G/1-PS", waiting_times.ps_mean),
    "jsq2": Comparison(
        Queue("jsq2", "prefill", EXPONENTIAL, servers=MANY, choices=2),
        f"JSQ(2), {MANY} servers",
        _jsq_mean,
    ),
}


def check_open_queue(
    name: str, seed: int, effort: float = 1.0, loads: Sequence[float] = LOADS
) -> list[Row]:
    """All rows of one queue of `COMPARISONS`: its inputs, its mean and, if known, its P99.

    `effort` scales the measured requests; 1 is the full build.
    """
    comparison = COMPARISONS[name]
    rows: list[Row] = []
    for position, load in enumerate(loads):
        key = [seed, *name.encode(), position]
        rows += _check_load(comparison, load, effort, np.random.SeedSequence(key))
    return rows


def _check_load(
    comparison: Comparison, load: float, effort: float, seeds: np.random.SeedSequence
) -> list[Row]:
    queue = comparison.queue
    full = REQUESTS if comparison.tail is None else _by_load(TAIL_REQUESTS, load)
    relaxation = settling(queue, load) / SETTLING
    wanted = max(FEWEST, round(max(full, RELAXATIONS * relaxation) * effort))
    runs = -(-wanted * (queue.servers if queue.choices > 1 else SINGLE) // RUN_REQUESTS)
    batches = max(2, -(-BATCHES // runs))
    samples = [
        run_queue(queue, load, wanted // runs, np.random.default_rng(child))
        for child in seeds.spawn(runs)
    ]
    given = np.vstack([_inputs(queue, load, sample, batches) for sample in samples])
    sojourn = np.concatenate([batch_means(sample.sojourn, batches) for sample in samples])
    changes = np.vstack([_changes(sample, batches) for sample in samples])
    # The square of the work explains only with its change taken off, each change alone little.
    controls = np.column_stack([given[:, :-1], given[:, -1] - changes[:, 1], changes[:, 0]])
    found = controlled_mean(sojourn, controls)
    name = f"{queue.name}-{round(100 * load)}"
    count = runs * (wanted // runs)
    mean = comparison.mean(load)
    rows = [
        input_check(
            f"{name}-inputs",
            queue.name,
            comparison.label,
            "laws of arrivals and lengths",
            zero_mean_p_value(given),
            count,
        )
        | {"load": load},
        interval_check(
            f"{name}-mean",
            queue.name,
            comparison.label,
            "mean sojourn",
            mean,
            found.interval(CONFIDENCE),
            found.p_value(mean),
            _by_load(MEAN_LIMITS, load),
            load,
            judged=count >= max(FEWEST_RELAXATIONS * relaxation, FEWEST_IN_BATCH * BATCHES),
        )
        | {"n": count, "plain": _relative(controlled_mean(sojourn), mean)},
    ]
    if comparison.tail is not None and comparison.decay is not None:
        rows.append(_check_tail(comparison, load, samples, batches, count))
    return rows


def _by_load(limits: dict[float, float], load: float) -> float:
    return next(value for bound, value in limits.items() if load <= bound)


def _relative(estimate: Estimate, expected: float) -> float:
    return estimate.half_width(CONFIDENCE) / expected


def _moments(queue: Queue, load: float) -> tuple[float, float]:
    """E[X] and E[X^2]."""
    gap = 1 / load  # c E[T]
    return 1 - gap, queue.service.second_moment - 2 * gap + 2 * gap**2


def _growth(queue: Queue, sample: Sample) -> Floats:
    growth: Floats = sample.service - queue.servers * sample.gap
    return growth


def _inputs(queue: Queue, load: float, sample: Sample, batches: int) -> Floats:
    """What has mean zero by the laws of arrivals and lengths; the last column is that of V^2."""
    first, second = _moments(queue, load)
    growth = _growth(queue, sample)
    columns = [growth - first]
    if queue.service.random:
        extra = sample.service - 1
        columns += [extra, sample.service**2 - queue.service.second_moment]
        if queue.station == "shared":
            columns.append(sample.work[:-1] * extra)
    columns.append(2 * sample.work[:-1] * (growth - first) + growth**2 - second)
    return np.column_stack([batch_means(column, batches) for column in columns])


def _changes(sample: Sample, batches: int) -> Floats:
    """The change of V and of V^2 over each batch, per request."""
    ends = _ends(sample.work, batches)
    size = len(sample.service) // batches
    return np.column_stack([np.diff(ends), np.diff(ends**2)]) / size


def _ends(work: Floats, batches: int) -> Floats:
    size = (len(work) - 1) // batches
    ends: Floats = work[: size * batches + 1 : size]
    return ends


def _check_tail(
    comparison: Comparison, load: float, samples: Sequence[Sample], batches: int, count: int
) -> Row:
    queue = comparison.queue
    assert comparison.tail is not None
    expected = waiting_times.quantile(partial(comparison.tail, load), TAIL)
    # Above its P99 the work stays for about (1 - rho)^-2 requests at a time.
    excursions = count * (1 - TAIL) * (1 - load) ** 2
    controls = np.vstack([_inputs(queue, load, sample, batches)[:, :-1] for sample in samples])
    offsets = np.concatenate(
        [_excursions(comparison, load, sample, batches, expected) for sample in samples]
    )
    if load <= FITTED_LOAD:
        controls, offsets = np.column_stack([controls, offsets]), np.zeros_like(offsets)

    def exceeds(time: float) -> Estimate:
        observed = np.concatenate(
            [batch_means(sample.sojourn > time, batches) for sample in samples]
        )
        return controlled_mean(observed - offsets, controls)

    try:
        found = quantile_interval(exceeds, 1 - TAIL, expected, CONFIDENCE)
    except ValueError:  # too few requests for any estimate
        found = Interval(math.nan, None, None, count)
    return interval_check(
        f"{queue.name}-{round(100 * load)}-p99",
        queue.name,
        comparison.label,
        "P99 of the sojourn",
        expected,
        found,
        exceeds(expected).p_value(1 - TAIL),
        TAIL_LIMIT,
        load,
        judged=excursions >= EXCURSIONS,
    ) | {"n": count}


def _excursions(
    comparison: Comparison, load: float, sample: Sample, batches: int, time: float
) -> Floats:
    """Noise of the share of requests that find more work than a sojourn of `time` stands for.

    With decay rate theta, drift -a = E[X] and level v, h(w) = exp(theta (min(w, v) - v)) -
    exp(-theta v) is the slope of the solution g of the diffusion's equation: the share of requests
    that find more than v is P(V > v) plus the noise of g along the run over a. A request whose
    sojourn is `time` finds about that much work for every server, less its own service if that
    is not random.
    """
    queue = comparison.queue
    assert comparison.decay is not None
    decay = comparison.decay(load)
    first, second = _moments(queue, load)
    level = queue.servers * (time - 1 + queue.service.random)
    growth = _growth(queue, sample)
    work = sample.work[:-1]
    climb = np.exp(decay * np.minimum(sample.work - level, 0.0))
    base = math.exp(-decay * level)
    slope = climb[:-1] - base
    bend = np.where(work < level, decay * climb[:-1], 0.0)
    noise = slope * (growth - first) + bend * (growth**2 - second) / 2
    integral = climb / decay + np.maximum(sample.work - level, 0.0) - base * sample.work
    size = len(sample.service) // batches
    change = np.diff(_ends(integral, batches)) / size
    offset: Floats = (batch_means(noise, batches) - change) / -first
    return offset
