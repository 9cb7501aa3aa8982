"""Traces of conversations fitted to a recorded one, for machines that do not have the recording.

Conversations form a stationary cluster process, cut by a window as a recording is:

* **Arrivals.** Conversations start as a Poisson process whose rate rises linearly over the
  recorded span and is constant before and after it. Each turn is followed by another one with a
  probability that depends on its number (and, for the first, on the length of its prompt), after
  a random pause. Conversations that began before the window are in it with their later turns.
  Times are rounded down to the recording's ticks, so that requests of one tick arrive together.
* **Prompts.** All prompts share a few leading blocks (a system prompt). A first prompt adds its
  own blocks. A later turn *extends* the previous prompt (previous prompt + previous answer + new
  text, sharing all its whole blocks), *branches* off (shares only a part of it, then goes on with
  other text, as when documents are fetched anew), or *repeats* it. These kinds form a Markov
  chain.
* **Dependence.** Answers, pauses and added texts within one conversation are equicorrelated by
  one normal factor each (a Gaussian copula); the first prompt and the first answer are
  correlated, and pauses are longer after longer prompts and before longer texts. Marginal laws
  are tables of quantiles.

A conversation ends when its prompt would exceed the longest prompt recorded.

Equal (parameters, seed) give equal rows, and fewer rows are the beginning of more: time is cut
into spans with a random stream each. So one may be longer than what was recorded; it is then
stationary.

Not reproduced: the time since the request whose prefix is reused has a mean and a 90th percentile
that are 8 % too long; counts over half a minute vary a quarter less than recorded; the first
minutes of the recording have longer prompts than the rest; how pauses depend on answers, and
answers on the kind of turn; turns that go back to a prompt before the last one (under 1 %);
prefixes shared between conversations beyond the common blocks, which the recording, whose
conversations are *defined* by the next block, could not show either; the few milliseconds by
which recorded ticks are off their grid; spikes of single values in the lengths. All other
statistics of `anarchy.measure.prefix_sharing.sharing_facts` agree
within the noise of one synthetic trace.

Sources: R. Qin et al., Mooncake, FAST 2025, for the trace; J. Neyman, E. L. Scott, J. R. Stat.
Soc. B 20 (1958), for the cluster process; E. L. Kaplan, P. Meier, J. Am. Stat. Assoc. 53 (1958),
for the estimates behind the pauses, which the end of the recording censors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError
from anarchy.workload.block_table import BlockTable, Ids, Integers
from anarchy.workload.synthetic_trace_parameters import Kinds, TraceParameters
from anarchy.workload.traces import TraceData

Floats = NDArray[np.float64]

MOST_ROWS = 10_000_000
"""More would take gigabytes."""

MOST_IDS = 2**31 - 1
"""Block ids are 32-bit numbers."""

SPAN = 3600.0
"""Seconds of conversation starts with one random stream; one such span precedes the window."""

BRANCH, REPEAT, EXTEND = range(3)
"""Kinds of later turns, in the order of the parameters."""


def generate(fitted: TraceParameters, rows: int, seed: int, replication: int = 0) -> TraceData:
    """The first `rows` requests, as `anarchy.workload.traces.TraceData` describes them.

    Equal (seed, replication) give equal rows, whatever `rows` is; replications are independent.
    Raises InputError when `rows` is not between 1 and MOST_ROWS or needs too many block ids.
    """
    if not 1 <= rows <= MOST_ROWS:
        raise InputError(f"rows: {rows}, allowed are 1 to {MOST_ROWS}")
    spans: list[_Span] = []
    final = 0  # rows that later spans cannot precede
    next_id = fitted.common_blocks
    while final < rows:
        key = len(spans)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(replication, key)))
        spans.append(_span(fitted, rng, (key - 1) * SPAN, next_id))
        next_id += spans[-1].fresh
        final = sum(int((span.time < key * SPAN).sum()) for span in spans)
    time = np.concatenate([span.time for span in spans])
    order = np.argsort(time, kind="stable")[:rows]
    arrival = time[order]
    if fitted.tick > 0:
        arrival = np.floor(arrival / fitted.tick) * fitted.tick
    offsets = np.cumsum([0] + [len(span.ids) for span in spans[:-1]])
    starts = [span.starts + offset for span, offset in zip(spans, offsets, strict=True)]
    blocks = BlockTable(
        np.concatenate([span.ids for span in spans]),
        np.concatenate(starts)[order],
        np.concatenate([span.counts for span in spans])[order],
    )
    return TraceData(
        arrival - arrival[0],
        np.concatenate([span.inputs for span in spans])[order],
        np.concatenate([span.outputs for span in spans])[order],
        blocks,
        fitted.block_tokens,
    )


@dataclass(frozen=True)
class _Span:
    """All requests at times >= 0 of the conversations that started within one span."""

    time: Floats
    inputs: Integers
    outputs: Integers
    ids: Ids  # the blocks of all requests
    starts: Integers  # request i has ids[starts[i] : starts[i] + counts[i]]
    counts: Integers
    fresh: int  # ids used


@dataclass(frozen=True)
class _Turn:
    """The same turn of many conversations; one entry per conversation that has it."""

    conversation: Integers  # rising
    time: Floats
    inputs: Integers
    outputs: Integers
    shared: Integers  # leading blocks of the turn before, for a first turn of all prompts
    kind: Integers


@dataclass(frozen=True)
class _Factors:
    """What makes the turns of one conversation alike: a standard normal score for each."""

    output: Floats
    pause: Floats
    added: Floats


def _span(fitted: TraceParameters, rng: np.random.Generator, begin: float, first_id: int) -> _Span:
    time = _starts(fitted, rng, begin)
    prompt, output, pause, added = rng.standard_normal((4, len(time)))
    alike = fitted.first.correlation
    factors = _Factors(alike * prompt + np.sqrt(1 - alike**2) * output, pause, added)
    answer = _scores(rng, factors.output, fitted.persistence.output)
    turn = _Turn(
        np.arange(len(time)),
        time,
        np.rint(fitted.first.input.at(_shares(prompt))).astype(np.int64),
        _tokens(fitted.first.output.at(_shares(answer))),
        np.full(len(time), fitted.common_blocks),
        np.full(len(time), EXTEND),
    )
    turns = []
    while len(turn.time):
        turns.append(turn)
        turn = _next_turn(fitted, rng, turn, len(turns), factors)
    return _assemble(fitted, turns, first_id)


def _starts(fitted: TraceParameters, rng: np.random.Generator, begin: float) -> Floats:
    """Times at which conversations start: a Poisson process with a varying rate, thinned."""
    rates = fitted.starts
    most = max(rates.before, rates.after)
    time = begin + np.sort(rng.uniform(0.0, SPAN, rng.poisson(most * SPAN)))
    rate = rates.before + (rates.after - rates.before) * np.clip(time / rates.ramp, 0.0, 1.0)
    kept: Floats = time[rng.random(len(time)) * most < rate]
    return kept


def _next_turn(
    fitted: TraceParameters, rng: np.random.Generator, last: _Turn, number: int, factors: _Factors
) -> _Turn:
    """Turn `number`, counted from 0, of the conversations that go on after turn `last`."""
    first, later = fitted.first, fitted.later
    classes = np.searchsorted(first.limits, last.inputs, side="right")
    if number == 1:
        chance = np.array(first.go_on)[classes]
    else:
        chance = np.full(len(classes), later.go_on[min(number - 2, len(later.go_on) - 1)])
    on = rng.random(len(chance)) < chance
    last = _Turn(*(getattr(last, name)[on] for name in _Turn.__dataclass_fields__))
    if number == 1:
        kind = _kinds(rng, first.kinds, classes[on])
    else:
        kind = _kinds(rng, later.kinds, last.kind)
    who = last.conversation
    added_score = _scores(rng, factors.added[who], fitted.persistence.added)
    added = (later.added_first if number == 1 else later.added).at(_shares(added_score))
    weights = later.pause_score
    explained = weights.added * added_score
    explained += weights.prompt * (np.log(last.inputs) - weights.log_mean) / weights.log_deviation
    rest = np.sqrt(1 - weights.prompt**2 - weights.added**2)
    pause_score = explained + rest * _scores(rng, factors.pause[who], fitted.persistence.pause)
    pause = later.pause.at(_shares(pause_score))
    output = later.output.at(_shares(_scores(rng, factors.output[who], fitted.persistence.output)))
    size, common = fitted.block_tokens, fitted.common_blocks
    whole = last.inputs // size

    kept = np.rint(later.kept.at(rng.random(len(who))) * whole)
    more = last.shared + np.rint(later.kept_more.at(rng.random(len(who))))
    kept = np.where((number > 1) & (last.kind == BRANCH), more, kept).astype(np.int64)
    kept = np.minimum(np.maximum(kept, common + 1), np.maximum(whole - 1, common))
    growth = later.growth.at(rng.random(len(who)))
    branched = np.rint(np.exp(later.regrowth * np.log(last.inputs) + growth))
    extended = last.inputs + last.outputs + np.rint(added)

    shared = np.choose(kind, [kept, _blocks(last.inputs, size), whole])
    least = np.maximum(shared, common) * size + (shared == common)
    inputs = np.choose(kind, [branched, last.inputs, extended]).astype(np.int64)
    inputs = np.where(kind == REPEAT, inputs, np.maximum(inputs, least))
    turn = _Turn(who, last.time + pause, inputs, _tokens(output), shared, kind)
    fits = inputs <= fitted.longest_input
    return _Turn(*(getattr(turn, name)[fits] for name in _Turn.__dataclass_fields__))


def _kinds(rng: np.random.Generator, rows: Sequence[Kinds], row: Integers) -> Integers:
    """A kind for each entry of `row`, which says whose probabilities hold."""
    limits = np.cumsum(np.array(rows), axis=1)[row]
    kinds: Integers = (rng.random(len(row))[:, None] >= limits).sum(axis=1)
    return kinds


def _scores(rng: np.random.Generator, factor: Floats, persistence: float) -> Floats:
    """Standard normal scores of which a share `persistence` of the variance is the factor's."""
    own = rng.standard_normal(len(factor))
    scores: Floats = np.sqrt(persistence) * factor + np.sqrt(1 - persistence) * own
    return scores


def _shares(scores: Floats) -> Floats:
    """The standard normal distribution function."""
    from scipy.special import ndtr  # SciPy takes as long to import as all else

    shares: Floats = ndtr(scores)
    return shares


def _tokens(values: Floats) -> Integers:
    return np.maximum(np.rint(values), 1).astype(np.int64)


def _blocks(tokens: Integers, size: int) -> Integers:
    return -(-tokens // size)


def _assemble(fitted: TraceParameters, turns: list[_Turn], first_id: int) -> _Span:
    """Give every turn its blocks: those shared with the turn before, then new ids in order."""
    ids: list[Ids] = []
    starts: list[Integers] = []  # of a turn's blocks in the ids of that turn
    counts: list[Integers] = []
    next_id = first_id
    for turn in turns:
        count = _blocks(turn.inputs, fitted.block_tokens)
        start = np.cumsum(count) - count
        fresh = count - turn.shared
        last_id = next_id + int(fresh.sum())
        if last_id > MOST_IDS:
            raise InputError(f"rows: too many, their prompts have more than {MOST_IDS} blocks")
        own = np.empty(int(count.sum()), dtype=np.int32)
        own[_ranges(start + turn.shared, fresh)] = np.arange(next_id, last_id, dtype=np.int32)
        if ids:
            before = np.searchsorted(turns[len(ids) - 1].conversation, turn.conversation)
            inherited = ids[-1][_ranges(starts[-1][before], turn.shared)]
        else:
            inherited = np.tile(np.arange(fitted.common_blocks, dtype=np.int32), len(count))
        own[_ranges(start, turn.shared)] = inherited
        next_id = last_id
        ids.append(own)
        starts.append(start)
        counts.append(count)
    offsets = np.cumsum([0] + [len(own) for own in ids])
    time = np.concatenate([np.zeros(0), *(turn.time for turn in turns)])
    kept = time >= 0

    def column(parts: list[Integers]) -> Integers:
        return np.concatenate([np.zeros(0, dtype=np.int64), *parts])[kept]

    return _Span(
        time[kept],
        column([turn.inputs for turn in turns]),
        column([turn.outputs for turn in turns]),
        np.concatenate([np.zeros(0, dtype=np.int32), *ids]),
        column([start + offset for start, offset in zip(starts, offsets, strict=False)]),
        column(counts),
        next_id - first_id,
    )


def _ranges(starts: Integers, counts: Integers) -> Integers:
    """starts[0], starts[0] + 1, ... counts[0] numbers, then those of starts[1], and so on."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(int(counts.sum()))
