"""How often the KV router takes each worker, in states whose costs are known.

Requests come so far apart that nothing is left of the last one but its cached blocks. What the
router knows of each worker then follows from where the earlier requests of a trial went: the
prefix that it holds, and in one place a prompt that it is still computing. The costs follow, and
from them the probabilities: a softmax of the costs over their range.

A trial asks for six prompts of blocks of its own:

1. `a`: nobody holds anything, all costs are equal;
2. `ab`: one worker holds `a`;
3. `abc`: one holds `a`, another `ab` (or one holds both, which is not counted);
4. `g`, 5. `vwxy`: not counted, they make the last state;
6. `gh`, 10 ms after `vwxy`, whose prefill takes 100 ms: one worker holds `g`, another has four
   blocks queued, or one has both and is the worst.

In each state the draws of all trials are independent with the same probability, and how often the
state arises does not depend on them: the times a worker is taken are binomial, exactly.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction

from anarchy.common.files import Row
from anarchy.measure.validation.dynamo.replay import TRACE_BLOCK, Request, ours, replay
from anarchy.serving.reference.router.policy import softmax_weights

TEMPERATURES = (0.0, 0.25, 0.5, 1.0, 2.0)
POOLS = (2, 4)
"""Prefill workers to choose from."""

GAP, OVERLAP = 1000.0, 10.0
"""Milliseconds between two requests, and from the fifth to the sixth of a trial."""

PROMPTS = ("a", "ab", "abc", "g", "vwxy", "gh")
LETTERS = "abcghvwxy"
FIRST, ONE, TWO, BUSY = 0, 1, 2, 5
"""Positions of the prompts at which choices are counted."""

State = tuple[str, tuple[Fraction, ...]]
"""What tells the workers apart, and their costs over the range, lowest first."""


def trial_requests(trials: int) -> list[Request]:
    """The requests of all trials."""
    requests: list[Request] = []
    for trial in range(trials):
        start = trial * len(PROMPTS) * GAP
        for position, letters in enumerate(PROMPTS):
            ids = [trial * len(LETTERS) + LETTERS.index(letter) for letter in letters]
            at = start + position * GAP
            if position == BUSY:
                at += OVERLAP - GAP
            requests.append((at, len(ids) * TRACE_BLOCK, 1, ids))
    return requests


def worker_costs(position: int, chosen: Sequence[int], workers: int) -> list[int]:
    """Costs in blocks of the trace before the choice at `position`, after those `chosen`."""
    prompt = PROMPTS[position]
    costs = []
    for worker in range(workers):
        held = [PROMPTS[k] for k in range(position) if chosen[k] == worker]
        overlap = max((len(p) for p in held if prompt.startswith(p)), default=0)
        queued = len(PROMPTS[BUSY - 1]) if position == BUSY and chosen[BUSY - 1] == worker else 0
        costs.append(queued + len(prompt) - overlap)
    return costs


def normalised(costs: Sequence[int]) -> tuple[Fraction, ...]:
    """Costs over their range, the lowest 0 and the highest 1; all 0 when they are equal."""
    lowest, span = min(costs), max(costs) - min(costs)
    return tuple(Fraction(cost - lowest, span or 1) for cost in costs)


def _state(position: int, chosen: Sequence[int], costs: Sequence[int]) -> str | None:
    """The name of a state, None if it is not counted."""
    if position == FIRST:
        return "all alike"
    if position == ONE:
        return "one holds a prefix"
    if position == TWO:
        return "two hold prefixes" if chosen[0] != chosen[1] else None
    if position == BUSY:
        if chosen[BUSY - 2] == chosen[BUSY - 1]:
            return "the holder is busy"
        return "one holds, one is busy"
    return None


def count_choices(chosen: Sequence[int], workers: int) -> dict[tuple[State, Fraction], list[int]]:
    """For each state and each of its costs but the highest: [times taken, times it arose].

    Where all costs are equal, the times that worker 0 was taken.
    """
    taken: Counter[tuple[State, Fraction]] = Counter()
    arose: Counter[State] = Counter()
    starts = range(0, len(chosen), len(PROMPTS))
    trials = Counter(tuple(chosen[start : start + len(PROMPTS)]) for start in starts)
    for trial, times in trials.items():
        for position, worker in enumerate(trial):
            costs = worker_costs(position, trial, workers)
            name = _state(position, trial, costs)
            if name is None:
                continue
            levels = normalised(costs)
            state = (name, tuple(sorted(levels)))
            arose[state] += times
            if len(set(levels)) > 1 or worker == 0:
                taken[state, levels[worker]] += times
    return {
        (state, level): [taken[state, level], n]
        for state, n in arose.items()
        for level in sorted(set(state[1]))[: max(1, len(set(state[1])) - 1)]
    }


def probability(levels: Sequence[Fraction], level: Fraction, temperature: float) -> float:
    """How likely a worker of this cost is taken; worker 0 where all costs are equal."""
    if len(set(levels)) == 1:
        return 1 / len(levels)
    if temperature == 0:
        return float(level == 0)
    weights = softmax_weights([float(x) for x in levels], temperature, normalise=True)
    here = [weight for weight, x in zip(weights, levels, strict=True) if x == level]
    return sum(here) / sum(weights)


def their_choices(requests: Sequence[Request], workers: int, temperature: float) -> list[int]:
    """The prefill worker of each request in the replay."""
    result = replay(requests, topology=(workers, 1), temperature=temperature)
    ordered = sorted(result.per_request, key=lambda request: request["arrival_time_ms"])
    return [request["prefill_worker_idx"] for request in ordered]


def our_choices(requests: Sequence[Request], workers: int, temperature: float) -> list[int]:
    """The prefill worker of each request in our simulator; each setting has a seed of its own."""
    seed = round(100 * temperature) + 1000 * workers
    log = ours(requests, seed=seed, topology=(workers, 1), temperature=temperature)
    return [int(worker) for worker in log.prefill_worker]


def measure_choices(
    side: str,
    choose: Callable[[Sequence[Request], int, float], list[int]],
    trials: int,
    temperatures: Sequence[float] = TEMPERATURES,
    pools: Sequence[int] = POOLS,
) -> list[Row]:
    """One row a state, cost and temperature: how often a worker of this cost was taken."""
    requests = trial_requests(trials)
    rows: list[Row] = []
    for workers in pools:
        for temperature in temperatures:
            counts = count_choices(choose(requests, workers, temperature), workers)
            for ((name, levels), level), (taken, n) in sorted(counts.items()):
                rows.append(
                    {
                        "id": f"choice-{workers}-{temperature}-{name}-{level}".replace(" ", "-"),
                        "group": "choices",
                        "side": side,
                        "workers": workers,
                        "state": name,
                        "costs": " ".join(map(str, levels)),
                        "cost": str(level),
                        "temperature": temperature,
                        "probability": probability(levels, level, temperature),
                        "taken": taken,
                        "n": n,
                    }
                )
    return rows
