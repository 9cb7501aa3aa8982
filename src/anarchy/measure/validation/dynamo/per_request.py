"""Request by request: round robin has no randomness, so both must give each request the same times.

Compared are five times, the cached tokens and both workers of every request. A request that
differs belongs to one class of differences:

* `rounding`: same workers and cached tokens, times less than `ROUNDING` apart. Our times are on a
  grid of 10 ps, theirs are sums of floating-point milliseconds; step times off the grid drift.
* `step`: same workers and cached tokens, times at most one decode step apart. Two steps that end
  together in one simulator do not in the other, by that drift.
* `other`: anything else. Known cause: decode requests are preempted while transfers are slow and
  memory holds hardly more than one prompt; the order of those who wait is not known fully.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anarchy.common.files import Row
from anarchy.measure.validation.dynamo.names import CLASSES, Difference
from anarchy.measure.validation.dynamo.replay import (
    BLOCK,
    BLOCKS,
    MS,
    STEP_TIMES,
    TRACE_BLOCK,
    Request,
    Times,
    ours,
    replay,
)
from anarchy.serving.log.request_log import RequestLog

# What the replay reports of a request and the column of the log that must equal it.
TIMES = {
    "prefill_admit_ms": "prefill_start",
    "source_held_ms": "prefill_end",
    "decode_admit_ms": "decode_start",
    "first_token_ms": "first_token",
    "last_token_ms": "done",
}
NUMBERS = {
    "reused_input_tokens": "cached_tokens",
    "prefill_worker_idx": "prefill_worker",
    "decode_worker_idx": "decode_worker",
}
EQUAL = 1e-9
"""Seconds that sums of floating-point milliseconds may lie from the 10 ps grid, within an hour."""

ROUNDING = 1e-5
"""Seconds of drift that a difference may show and still be called rounding."""

TRANSFER = {"kv_transfer_bytes_per_token": 163_840, "kv_transfer_bandwidth": 50.0}
"""Their hand-off at 50 GB/s; it takes effect in the prefill engine."""


@dataclass(frozen=True)
class Outcome:
    """What became of a request: `TIMES` in seconds, `NUMBERS`, and when it came."""

    arrival: float
    times: tuple[float, ...]
    numbers: tuple[int, ...]

    @property
    def ttft(self) -> float:
        return self.times[list(TIMES.values()).index("first_token")] - self.arrival

    @property
    def cached(self) -> int:
        return self.numbers[0]


def pair_outcomes(
    requests: Sequence[Request], result: Any, log: RequestLog, speed: float = 1.0
) -> list[tuple[Outcome, Outcome]]:
    """Theirs and ours of every request, `speed` being how much faster theirs came.

    The replay names requests by random ids, so they are matched by arrival and lengths; those
    that are alike in these cannot be told apart and are matched in order of their outcomes.
    Raises ValueError if the two served different requests.
    """
    theirs: dict[Any, list[Outcome]] = defaultdict(list)
    for request in result.per_request:
        arrival = request["arrival_time_ms"]
        times = tuple(request[name] / MS for name in TIMES)
        key = (round(arrival * speed, 3), request["input_length"], request["output_length"])
        theirs[key].append(Outcome(arrival / MS, times, tuple(request[name] for name in NUMBERS)))
    mine: dict[Any, list[Outcome]] = defaultdict(list)
    times_of = [getattr(log, name).tolist() for name in TIMES.values()]
    numbers_of = [getattr(log, name).tolist() for name in NUMBERS.values()]
    for i, (arrival, prompt, output, _) in enumerate(requests):
        outcome = Outcome(
            float(log.arrival[i]),
            tuple(column[i] for column in times_of),
            tuple(column[i] for column in numbers_of),
        )
        mine[round(arrival - requests[0][0], 3), prompt, output].append(outcome)
    if {k: len(v) for k, v in theirs.items()} != {k: len(v) for k, v in mine.items()}:
        raise ValueError("the two simulators served different requests")

    def order(outcome: Outcome) -> Any:
        return [round(time, 9) for time in outcome.times], outcome.numbers

    return [
        pair
        for key, own in mine.items()
        for pair in zip(sorted(theirs[key], key=order), sorted(own, key=order), strict=True)
    ]


def classify(theirs: Outcome, mine: Outcome, step: float) -> Difference:
    """The class of a request; `step` is the time of a decode step in seconds."""
    if theirs.numbers != mine.numbers:
        return "other"
    gap = max(abs(a - b) for a, b in zip(theirs.times, mine.times, strict=True))
    if gap <= EQUAL:
        return "equal"
    if gap <= ROUNDING:
        return "rounding"
    return "step" if gap <= step + ROUNDING else "other"


@dataclass(frozen=True)
class Case:
    """A deployment for both: `prefill` are fields of their engine, `fields` those of ours."""

    name: str
    text: str
    blocks: int = BLOCKS
    times: Times = STEP_TIMES
    prefill: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)


CASES = (
    Case("fixed", "no hand-off"),
    Case(
        "handoff",
        "hand-off at 50 GB/s",
        prefill=TRANSFER,
        fields={"engine.handoff.bandwidth": 5e10},
    ),
    Case(
        "chunks",
        "prefill budget 2,048",
        prefill={"max_num_batched_tokens": 2048},
        fields={"engine.prefill.batch_tokens": 2048},
    ),
    Case("memory", "memory of 2,000 blocks", blocks=2000),
    Case("decimals", "steps of 33.3 and 7.7 ms", times=(33.3, 7.7)),
    Case("off-grid", "steps of 101.3 and 23/3 ms", times=(101.3, 23 / 3)),
)
"""On the first requests of the recorded trace."""

KNOWN = Case(
    "preemption",
    "bursts, 600 blocks, 3 GB/s",
    blocks=600,
    prefill={**TRANSFER, "kv_transfer_bandwidth": 3.0},
    fields={"engine.handoff.bandwidth": 3e9},
)
"""The known cause of `other`, on `bursts`: shown, and not judged."""

KNOWN_SEED = 2
"""Of the bursts on which it shows; on most others every request is equal."""


def bursts(seed: int, count: int = 200, longest: int = 20) -> list[Request]:
    """Bursts of prompts that share long prefixes; ties of arrivals and step ends are frequent.

    The longest prompt takes 310 engine blocks.
    """
    draw = random.Random(seed)
    shared = [[draw.randrange(10**6) for _ in range(longest)] for _ in range(6)]
    requests: list[Request] = []
    time = 0
    for _ in range(count):
        time += draw.choice([0, 0, 100, draw.randrange(200)])
        ids = draw.choice(shared)[: draw.randrange(1, longest)] if draw.random() < 0.7 else []
        own = draw.randrange(0 if ids else 1, longest)
        ids = ids + [draw.randrange(10**9) for _ in range(own)]
        prompt = (len(ids) - 1) * TRACE_BLOCK + draw.choice([64, 128, 512, draw.randrange(1, 513)])
        requests.append((time, prompt, draw.choice([1, 2, draw.randrange(1, 300)]), ids))
    return requests


def compare_case(case: Case, requests: Sequence[Request]) -> Row:
    """How many requests are in each class, and the errors of TTFT and reuse.

    `ttft_error` and `reuse_error` are relative: the mean over requests of |difference| of TTFT over
    theirs, and the sum of |difference| of cached tokens over all of theirs. `within` counts
    requests whose TTFT differs by at most the time of one block in a full prefill step.
    """
    result = replay(requests, blocks=case.blocks, times=case.times, prefill=case.prefill)
    log = ours(requests, blocks=case.blocks, times=case.times, fields=case.fields)
    pairs = pair_outcomes(requests, result, log)
    step = case.times[1] / MS
    classes = [classify(a, b, step) for a, b in pairs]
    ttft = np.array([(a.ttft, b.ttft) for a, b in pairs])
    cached = np.array([(a.cached, b.cached) for a, b in pairs])
    budget = case.prefill.get("max_num_batched_tokens", 8192)
    one_block = case.times[0] / MS * BLOCK / budget
    gap = np.abs(ttft[:, 0] - ttft[:, 1])
    prompts = sum(request[1] for request in requests)
    return {
        "id": f"requests-{case.name}",
        "group": "requests",
        "system": case.text,
        "judged": case is not KNOWN,
        "n": len(pairs),
        **{name: classes.count(name) for name in CLASSES},
        "within": int((gap <= one_block).sum()),
        "ttft_error": float((gap / ttft[:, 0]).mean()),
        "reuse_error": float(np.abs(cached[:, 0] - cached[:, 1]).sum() / cached[:, 0].sum()),
        "ttft_dynamo": float(ttft[:, 0].mean()),
        "ttft_ours": float(ttft[:, 1].mean()),
        "reuse_dynamo": float(cached[:, 0].sum() / prompts),
        "reuse_ours": float(cached[:, 1].sum() / prompts),
    }
