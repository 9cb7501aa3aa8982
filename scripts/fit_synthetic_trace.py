"""Fit a synthetic trace to a recorded one: config/synthetic-traces/NAME.json.

    python scripts/fit_synthetic_trace.py            write the parameters of mooncake-conversation
    python scripts/fit_synthetic_trace.py --check    compare with the committed one instead

The trace is looked up as for every other use (ANARCHY_TRACE_DIR, then data/traces) and its sha256
is checked. Rates, probabilities, quantiles and correlations are estimated; no row is kept.

Continuation and pauses are estimated by Kaplan and Meier's product limit, because the end of the
recording hides later turns. What belongs to the first turn is estimated from conversations that
appear after BURN_IN, because early ones may have begun before the recording.
"""

import argparse
import json
import re
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm, rankdata

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.common.files import write_text
from anarchy.config.settings import TraceSource, TraceSources
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml
from anarchy.measure.prefix_sharing import best_overlaps, sharing_facts
from anarchy.workload.synthetic_trace import BRANCH, EXTEND, REPEAT
from anarchy.workload.synthetic_trace_parameters import TraceParameters
from anarchy.workload.trace_files import find_trace
from anarchy.workload.traces import TraceData, read_trace

NAME = "mooncake-conversation"
COMMON = 1
"""Leading blocks that all prompts of the trace share; checked against it."""
TICK = 3.0
"""Seconds between the trace's distinct times; checked against it."""
BURN_IN = 900.0
"""Seconds after which nearly all conversations that appear are new ones."""
LIMITS = [1000, 4000, 8000, 16000, 32000]
"""Classes of first prompts, tokens: below the first limit they are hardly ever continued."""
TURNS = 6
"""Later turns with a probability of going on of their own; the rest share the last one."""
BIN = 60.0
"""Seconds per count in the fit of the rate."""
FINE = [0, 0.001, 0.005, *np.arange(1, 100) / 100, 0.995, 0.999, 1]
COARSE = [*np.arange(0, 41) / 40]
"""Levels of the tables of quantiles: for thousands of values, and for hundreds."""


def fit(data: TraceData, source: TraceSource, name: str) -> TraceParameters:
    """Estimate the parameters of a trace."""
    talks = _conversations(data)
    first = np.array([talk[0] for talk in talks])
    new = data.arrival[first] >= BURN_IN
    chosen = [talk for talk, is_new in zip(talks, new, strict=True) if is_new]
    steps = _steps(data, chosen)
    persistence = {
        "output": _persistence(data.output_tokens, talks),
        "pause": _persistence_of(steps, "pause"),
        "added": _persistence_of(
            [[step for step in talk if step["kind"] == EXTEND] for talk in steps], "added"
        ),
    }
    flat = [step for talk in _steps(data, talks) for step in talk]
    old, after = np.log([step["prompts"] for step in flat if step["kind"] == BRANCH]).T
    slope = round(float(np.polyfit(old, after, 1)[0]), 3)
    alike = _score_correlation(data.input_tokens[first[new]], data.output_tokens[first[new]])
    pauses, chances, overall = _continuation(data, chosen, talks)
    rate = _rates(data, overall, float(np.mean(pauses["values"])))
    return validate(
        TraceParameters,
        {
            "provenance": {
                "trace": name,
                "sha256": source.sha256,
                "licence": source.licence,
                "citation": source.citation,
                "note": "estimated by scripts/fit_synthetic_trace.py; aggregates, no rows",
            },
            "block_tokens": data.block_tokens,
            "common_blocks": COMMON,
            "tick": TICK,
            "longest_input": int(data.input_tokens.max()),
            "starts": rate,
            "first": {
                "input": _table(data.input_tokens[first[new]], FINE, 0),
                "output": _table(data.output_tokens[first[new]], FINE, 0),
                "correlation": round(alike / persistence["output"] ** 0.5, 3),
                "limits": LIMITS,
                "go_on": chances["first"],
                "kinds": _first_kinds(steps),
            },
            "later": {
                "go_on": chances["later"],
                "kinds": _chain(_steps(data, talks)),
                "output": _table([step["output"] for step in flat], FINE, 0),
                "pause": pauses,
                "pause_score": _pause_score(flat),
                "added_first": _table(_added(flat, second=True), FINE, 0),
                "added": _table(_added(flat, second=False), FINE, 0),
                "kept": _table(
                    [s["kept"] for s in flat if s["kind"] == BRANCH and s["last"] != BRANCH],
                    COARSE,
                    4,
                ),
                "kept_more": _table(
                    [s["more"] for s in flat if s["kind"] == BRANCH and s["last"] == BRANCH],
                    COARSE,
                    1,
                ),
                "regrowth": slope,
                "growth": _table(after - slope * old, COARSE, 3),
            },
            "persistence": persistence,
            "facts": sharing_facts(data, COMMON),
        },
        name,
    )


def _conversations(data: TraceData) -> list[list[int]]:
    """Rows by conversation: requests with the same first block after the common ones."""
    found: dict[int, list[int]] = {}
    for row, blocks in enumerate(data.blocks):
        if len(blocks) <= COMMON or blocks[:COMMON] != data.blocks[0][:COMMON]:
            raise InputError(f"row {row}: its prompt is not {COMMON} common block and more")
        found.setdefault(blocks[COMMON], []).append(row)
    ticks = np.diff(np.unique(data.arrival)) / TICK
    if np.abs(ticks - np.rint(ticks)).max() > 0.01:
        raise InputError(f"arrivals are not on ticks of {TICK} s")
    return list(found.values())


def _steps(data: TraceData, talks: list[list[int]]) -> list[list[dict[str, Any]]]:
    """What happens from each turn of a conversation to the next."""
    shared = best_overlaps(data).shared
    size = data.block_tokens
    steps = []
    for talk in talks:
        last = EXTEND
        steps.append([])
        for before, now in pairwise(talk):
            old, new = int(data.input_tokens[before]), int(data.input_tokens[now])
            if old == new and shared[now] == len(data.blocks[now]):
                kind = REPEAT
            else:
                kind = EXTEND if shared[now] >= old // size else BRANCH
            steps[-1].append(
                {
                    "kind": kind,
                    "last": last,
                    "second": before == talk[0],
                    "pause": float(data.arrival[now] - data.arrival[before]),
                    "added": new - old - int(data.output_tokens[before]),
                    "output": int(data.output_tokens[now]),
                    "kept": shared[now] / (old // size),
                    "more": int(shared[now] - shared[before]),
                    "prompts": (old, new),
                }
            )
            last = kind
    return steps


def _added(steps: list[dict[str, Any]], second: bool) -> list[int]:
    """Texts added by extensions, in second turns or in later ones."""
    return [s["added"] for s in steps if s["kind"] == EXTEND and s["second"] == second]


def _pause_score(steps: list[dict[str, Any]]) -> dict[str, float]:
    """Least squares of the pause's normal score on those of prompt and added text."""
    extensions = [step for step in steps if step["kind"] == EXTEND]
    logs = np.log([step["prompts"][0] for step in extensions])
    mean, deviation = round(float(logs.mean()), 3), round(float(logs.std()), 3)
    scores = np.column_stack(
        [(logs - mean) / deviation, _scores([step["added"] for step in extensions])]
    )
    weights = np.linalg.lstsq(scores, _scores([step["pause"] for step in extensions]))[0]
    prompt, added = (round(float(weight), 3) for weight in weights)
    return {"prompt": prompt, "added": added, "log_mean": mean, "log_deviation": deviation}


def _scores(values: Any) -> Any:
    """Normal scores: what a normal sample with the same ranks would be."""
    return norm.ppf((rankdata(values) - 0.5) / len(values))


def _score_correlation(one: Any, other: Any) -> float:
    return float(np.corrcoef(_scores(one), _scores(other))[0, 1])


def _persistence(values: Any, groups: list[list[int]]) -> float:
    """Correlation of normal scores over all pairs of neighbours and of next neighbours."""
    scores = _scores(values)
    pairs = [
        (scores[a], scores[b])
        for lag in (1, 2)
        for group in groups
        for a, b in zip(group, group[lag:], strict=False)
    ]
    return round(float(np.corrcoef(np.array(pairs).T)[0, 1]), 3)


def _persistence_of(steps: list[list[dict[str, Any]]], key: str) -> float:
    values = [step[key] for talk in steps for step in talk]
    ends = np.cumsum([len(talk) for talk in steps])
    groups = [
        list(range(end - len(talk), end)) for end, talk in zip(ends.tolist(), steps, strict=True)
    ]
    return _persistence(np.array(values), groups)


def _product_limit(spans: Any, ended: Any) -> tuple[Any, Any]:
    """Times and the estimated probability that the event has happened by then."""
    order = np.lexsort((~ended, spans))
    at_risk = len(spans) - np.arange(len(spans))
    survival = np.cumprod(np.where(ended[order], 1 - 1 / at_risk, 1.0))
    return spans[order][ended[order]], (1 - survival)[ended[order]]


def _continuation(
    data: TraceData, chosen: list[list[int]], talks: list[list[int]]
) -> tuple[dict[str, Any], dict[str, list[float]], float]:
    """The table of pauses, the probabilities of another turn, and that of any request."""

    def waits(groups: list[list[int]]) -> tuple[Any, Any, Any, Any]:
        rows = np.concatenate([np.array(group) for group in groups])
        turn = np.concatenate([np.arange(len(group)) for group in groups])
        follow = np.concatenate([np.array([*group[1:], -1]) for group in groups])
        ended = follow >= 0
        until = np.where(ended, data.arrival[follow], data.arrival[-1])
        return rows, turn, until - data.arrival[rows], ended

    def chance(spans: Any, ended: Any) -> float:
        done = _product_limit(spans, ended)[1]
        return round(float(done[-1]), 4) if len(done) else 0.0

    rows, turn, spans, ended = waits(chosen)
    # One pause per conversation: hasty ones would have more of them within the recording.
    opening = turn == 0
    times, done = _product_limit(spans[opening], ended[opening])
    pauses = {
        "levels": [float(level) for level in FINE],
        "values": [round(float(v), 1) for v in np.interp(FINE, done / done[-1], times)],
    }
    classes = np.searchsorted(LIMITS, data.input_tokens[rows], side="right")
    later = []
    for number in range(1, TURNS + 1):
        these = turn == number if number < TURNS else turn >= number
        later.append(chance(spans[these], ended[these]))
    by_class = [opening & (classes == place) for place in range(len(LIMITS) + 1)]
    chances = {
        "first": [chance(spans[these], ended[these]) for these in by_class],
        "later": later,
    }
    _, _, spans, ended = waits(talks)
    return pauses, chances, chance(spans, ended)


def _rates(data: TraceData, continued: float, pause: float) -> dict[str, float]:
    """Conversation starts: what the linear trend of all arrivals leaves after later turns.

    A rate m(t) of requests, constant before 0, of which a share q is followed after a pause G has
    q E[m(t - G)] later turns per second.
    """
    span = float(data.arrival[-1])
    bins = int(span // BIN)
    counts = np.bincount((data.arrival // BIN).astype(int))[:bins]
    slope, start = np.polyfit((np.arange(bins) + 0.5) * BIN, counts / BIN, 1)
    before = (1 - continued) * start
    after = (1 - continued) * (start + slope * span) + continued * slope * pause
    return {"before": round(before, 4), "after": round(after, 4), "ramp": round(span)}


def _first_kinds(steps: list[list[dict[str, Any]]]) -> list[list[float]]:
    firsts = [talk[0] for talk in steps if talk]
    classes = np.searchsorted(LIMITS, [step["prompts"][0] for step in firsts], side="right")
    kinds = np.array([step["kind"] for step in firsts])
    return [_shares(kinds[classes == place]) for place in range(len(LIMITS) + 1)]


def _chain(steps: list[list[dict[str, Any]]]) -> list[list[float]]:
    pairs = np.array(
        [(one["kind"], two["kind"]) for talk in steps for one, two in pairwise(talk)], dtype=int
    )
    return [_shares(pairs[pairs[:, 0] == kind, 1]) for kind in (BRANCH, REPEAT, EXTEND)]


def _shares(kinds: Any) -> list[float]:
    return [round(float(np.mean(kinds == kind)), 4) for kind in (BRANCH, REPEAT)]


def _table(values: Any, levels: list[float], digits: int) -> dict[str, list[float]]:
    quantiles = np.quantile(np.asarray(values, dtype=float), levels)
    rounded = [round(float(value), digits) for value in quantiles]
    return {
        "levels": [float(level) for level in levels],
        "values": [int(value) for value in rounded] if digits == 0 else rounded,
    }


def text(fitted: TraceParameters) -> str:
    """JSON with one line per list of numbers."""
    indented = json.dumps(fitted.model_dump(), indent=2)
    return (
        re.sub(r"\[[\s\d.,e-]+\]", lambda m: "[" + " ".join(m[0][1:-1].split()) + "]", indented)
        + "\n"
    )


def main() -> int:
    """Exit code 0: done; 1: the committed parameters differ; 2: the trace is absent or altered."""
    parser = argparse.ArgumentParser(description="Fit a synthetic trace to a recorded one.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    options = parser.parse_args()
    try:
        traces = paths.ROOT / paths.TRACES
        sources = validate(TraceSources, read_yaml(traces), str(traces))
        source = sources.traces[NAME]
        data = read_trace(find_trace(NAME, sources, paths.ROOT), source.format, source.sha256)
        written = text(fit(data, source, NAME))
    except InputError as fault:
        print(fault, file=sys.stderr)
        return 2
    path = Path(paths.ROOT / paths.CONFIG / "synthetic-traces" / f"{NAME}.json")
    if not options.check:
        write_text(path, written)
        print(f"{NAME}: written")
        return 0
    same = path.is_file() and path.read_text(encoding="utf-8") == written
    print(f"{NAME}: {'reproduced' if same else 'differs'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
