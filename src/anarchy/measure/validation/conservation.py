"""What goes in comes out: requests, tokens, blocks, time, and Little's law.

A trace of prompts with shared prefixes is served to its end, by workers whose times are in
proportion to their tokens: their busy seconds then count the tokens that they computed,
independently of what the log says of each request.
"""

from itertools import islice, pairwise

import numpy as np

from anarchy.config.scenario import Scenario, Topology, with_fields
from anarchy.config.workload import Poisson, Trace
from anarchy.measure.control_variates import batch_means, controlled_mean
from anarchy.measure.validation.checks import CONFIDENCE, Row, exact_check, interval_check
from anarchy.measure.validation.queue_scenarios import (
    EXPONENTIAL,
    INSTANT,
    TOKEN,
    TOKENS,
    latency,
    scenario,
)
from anarchy.serving.log.request_log import Run
from anarchy.serving.reference.system import System
from anarchy.serving.simulate import simulate
from anarchy.workload.arrivals import poisson
from anarchy.workload.lengths import LogNormal
from anarchy.workload.traces import TraceData

REQUESTS = 4000
"""Requests of the trace."""

BLOCK = 64
"""Tokens of a block."""

TEMPLATES, TEMPLATE_BLOCKS = 20, 12
"""Prefixes that prompts begin with, and their length."""

CAPACITY = 40_000
"""Tokens of a worker's cache: fewer than the prefixes and the running requests ask for."""

PREFILL_TOKEN, DECODE_TOKEN = 1e-5, 1e-4
"""Seconds of one token."""

RATE = 90.0
"""Requests per second: most workers are busy, none is overloaded."""

MEDIAN_PROMPT, MEDIAN_OUTPUT, SIGMA = 1200, 150, 0.8
"""Log-normal lengths in tokens."""

LABELS = {"plain": "prefix caches", "paged": "paged memory"}
"""How the two systems that serve the trace are called."""

STAGES = ("arrival", "prefill_start", "prefill_end", "routed", "decode_start", "done")
"""Times of a request in their order."""

ROUNDING = 1e-6
"""Relative tolerance of sums of busy seconds."""

LITTLE_FEWEST = 3000
"""Requests of Little's law in the coarsest build."""

LITTLE_LOAD, LITTLE_REQUESTS, LITTLE_BATCHES, LITTLE_LIMIT = 0.7, 150_000, 60, 0.01
"""Little's law is tested at this load, with as many requests and batches, to this half-width."""


def check_conservation(seed: int, effort: float = 1.0) -> list[Row]:
    """Counts of one trace with and without paged memory, and Little's law."""
    rows: list[Row] = []
    for name, given in _scenarios().items():
        rows += _check_run(name, given, seed)
    return [*rows, _check_little(seed, max(LITTLE_FEWEST, round(LITTLE_REQUESTS * effort)))]


def _scenarios() -> dict[str, Scenario]:
    plain = with_fields(
        scenario(Trace(kind="trace", trace="arrivals"), Topology(prefill=2, decode=3)),
        {
            "engine.cache.enabled": True,
            "engine.cache.block_tokens": BLOCK,
            "engine.cache.capacity_tokens": CAPACITY,
            "engine.prefill.batch_requests": 4,
            "engine.handoff.overhead": 0.001,
        },
        "validation",
    )
    # Without preemption no token is computed twice.
    paged = {"engine.memory.paged": True, "engine.memory.preempt": "never"}
    return {"plain": plain, "paged": with_fields(plain, paged, "validation")}


def _trace(seed: int) -> TraceData:
    rng = np.random.default_rng([seed, *b"conservation"])
    arrival = np.fromiter(islice(poisson(rng, RATE), REQUESTS), float, REQUESTS)
    inputs = LogNormal(MEDIAN_PROMPT, SIGMA).sample(rng, REQUESTS)
    outputs = LogNormal(MEDIAN_OUTPUT, SIGMA).sample(rng, REQUESTS)
    templates = rng.integers(TEMPLATES, size=REQUESTS)
    longest = int(inputs.max()) // BLOCK + 1
    blocks = []
    for row, (tokens, template) in enumerate(zip(inputs.tolist(), templates.tolist(), strict=True)):
        count = -(-tokens // BLOCK)
        own = (TEMPLATES + row) * longest
        shared = min(count, TEMPLATE_BLOCKS)
        first = template * longest
        blocks.append((*range(first, first + shared), *range(own, own + count - shared)))
    return TraceData(arrival, inputs, outputs, blocks, BLOCK)


def _check_run(name: str, given: Scenario, seed: int) -> list[Row]:
    data = _trace(seed)
    table = latency(PREFILL_TOKEN, DECODE_TOKEN, shared=True)
    held = None
    if given.engine.memory.paged:
        system = System(given, table, seed, 0, REQUESTS, 0.0, data)
        run = system.run()
        workers = [worker for pool in system.engine.workers.values() for worker in pool]
        held = float(sum(worker.pool.held for worker in workers))
    else:
        run = simulate(given, table, seed=seed, requests=REQUESTS, trace=data)
    rows = [
        *_check_requests(name, run),
        *_check_tokens(name, run, data),
        exact_check(
            f"conservation-{name}-clock",
            "conservation",
            LABELS[name],
            "times out of order",
            0.0,
            float(_out_of_order(run)),
        ),
    ]
    if held is not None:
        rows.append(
            exact_check(
                f"conservation-{name}-blocks",
                "conservation",
                LABELS[name],
                "blocks held at the end",
                0.0,
                held,
            )
        )
    return rows


def _check_requests(name: str, run: Run) -> list[Row]:
    served = np.bincount(run.log.prompt, minlength=REQUESTS)
    lost, twice = int((served == 0).sum()), int((served > 1).sum())
    counts = {"lost": ("requests lost", lost), "twice": ("requests served twice", twice)}
    return [
        exact_check(f"conservation-{name}-{key}", "conservation", LABELS[name], label, 0.0, count)
        for key, (label, count) in counts.items()
    ]


def _check_tokens(name: str, run: Run, data: TraceData) -> list[Row]:
    """Tokens computed, by the seconds that workers were busy, against those asked for."""
    reused = int(run.log.cached_tokens.sum())
    prefilled = float(run.prefill_busy.sum()) / PREFILL_TOKEN + reused
    decoded = float(run.decode_busy.sum()) / DECODE_TOKEN
    return [
        exact_check(
            f"conservation-{name}-prompt-tokens",
            "conservation",
            LABELS[name],
            "prompt tokens",
            float(data.input_tokens.sum()),
            prefilled,
            ROUNDING,
        ),
        exact_check(
            f"conservation-{name}-output-tokens",
            "conservation",
            LABELS[name],
            "output tokens",
            float(data.output_tokens.sum()),
            decoded,
            ROUNDING,
        ),
    ]


def _out_of_order(run: Run) -> int:
    """How many times in the log lie before the one that they follow."""
    backwards = int((np.diff(run.log.arrival) < 0).sum())
    for earlier, later in pairwise(STAGES):
        backwards += int((getattr(run.log, earlier) > getattr(run.log, later)).sum())
    return backwards


def _check_little(seed: int, requests: int) -> Row:
    """Requests that arrivals find in decode, by the router's count, against rate times sojourn.

    Poisson arrivals see what is there on average, so that the ratio of the two is one.
    """
    workload = Poisson(
        kind="poisson",
        rate=LITTLE_LOAD,
        templates=1,
        input_tokens=1,
        output_tokens=TOKENS,
        output_lengths=EXPONENTIAL.law,
    )
    run = simulate(
        scenario(workload, Topology(prefill=1, decode=1)),
        latency(INSTANT, TOKEN, shared=True),
        seed=seed,
        requests=requests,
    )
    # The first requests meet an empty system; of the last ones only quick ones are in the log.
    middle = slice(requests // 20, requests)
    found = run.log.decode_active.sum(axis=1)[middle]
    stayed = LITTLE_LOAD * (run.log.done - run.log.routed)[middle]
    ratio = 1 + (found - stayed) / stayed.mean()
    estimate = controlled_mean(batch_means(ratio, LITTLE_BATCHES))
    return interval_check(
        "conservation-little",
        "conservation",
        "M/M/1-PS",
        "number / (rate × sojourn)",
        1.0,
        estimate.interval(CONFIDENCE),
        estimate.p_value(1.0),
        LITTLE_LIMIT,
        LITTLE_LOAD,
    ) | {"n": len(ratio)}
