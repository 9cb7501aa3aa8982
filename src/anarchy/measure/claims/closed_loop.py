"""What a closed loop rules out: published changes of one run that no routing can make together.

C clients that think for Z seconds complete X = C / (Z + E) requests a second, where E is the mean
end-to-end latency: an identity of every run, whatever serves it (Little). So at fixed C a
throughput of x times the old one means Z + E divided by x. E is the mean TTFT T and the decode time
D, and a published change of T then says what D has become.

Routing acts on the batches of the decode workers and on nothing else. No batch has more than C
requests, so that a request's decode time is at most (L + 1) times the longest step of up to C
requests: L tokens, and the step under way when it joins.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anarchy.config.claims.ledger import Claim, Ledger
from anarchy.measure.claims.samples import Row

TAIL = 0.01
"""Share of requests beyond the P99."""


@dataclass(frozen=True)
class Load:
    """Means of the runs of one scenario at one number of clients, in seconds and per second."""

    clients: int
    throughput: float
    ttft_mean: float
    ttft_p99: float
    e2e_mean: float

    @property
    def decode(self) -> float:
        """From the first token to the last."""
        return self.e2e_mean - self.ttft_mean


@dataclass(frozen=True)
class Sweep:
    """A scenario over its loads, and what one batch can take it to.

    `longest` gives the longest decode time with so many clients; `think` is the mean think time.
    """

    scenario: str
    loads: Sequence[Load]
    longest: Callable[[int], float]
    think: float

    @property
    def unloaded(self) -> float:
        """TTFT where hardly anybody waits: the mean at the least load."""
        return min(self.loads, key=lambda load: load.clients).ttft_mean


def loads(rows: Sequence[Row], scenario: str) -> list[Load]:
    """The loads of a scenario in a sweep of clients, ascending."""
    found: dict[int, dict[str, float]] = {}
    for row in rows:
        if row["scenario"] == scenario and row["value"] is not None:
            found.setdefault(row["workload.clients"], {})[row["id"]] = row["value"]
    return [
        Load(clients, at["throughput"], at["ttft-mean"], at["ttft-p99"], at["e2e-mean"])
        for clients, at in sorted(found.items())
    ]


def pair_rows(ledger: Ledger, sweeps: Mapping[str, Sweep]) -> list[dict[str, Any]]:
    """Every published throughput with every other published change of the same deployment.

    Columns: id ("C12+C13"), scenario, clients, `value` (decode time needed, over that of the static
    run; of an index the factor by which its denominator must rise if its numerator is end-to-end
    latency), `most` (the most that any routing makes of it), `first_token` (the largest mean TTFT
    that the second claim leaves), `unloaded` (a TTFT without waiting) and `possible`.
    """
    changes = [claim for claim in ledger.claims if claim.change]
    fixed = [c for c in changes if c.change and c.change.quantity == "throughput"]
    return [
        row
        for throughput in fixed
        for other in changes
        if other not in fixed
        for row in _pair(throughput, other, sweeps)
    ]


def _pair(throughput: Claim, other: Claim, sweeps: Mapping[str, Sweep]) -> Iterator[dict[str, Any]]:
    rate, change = throughput.change, other.change
    if rate is None or change is None or rate.scenario not in (None, change.scenario):
        return
    sweep = sweeps.get(change.scenario or "")
    if sweep is None:
        return
    for load in sweep.loads:
        if load.clients in change.clients:
            head: dict[str, Any] = {"id": f"{throughput.id}+{other.id}"}
            head |= {"scenario": sweep.scenario, "clients": load.clients, "unit": "1"}
            yield head | _needed(sweep, load, rate.ratio, change.quantity, change.ratio)


def _needed(sweep: Sweep, load: Load, rate: float, quantity: str, ratio: float) -> dict[str, Any]:
    cycle = load.clients / (rate * load.throughput)
    if quantity == "index":
        before = sweep.think + load.e2e_mean
        return {"value": cycle / before / ratio, **_NOTHING_ELSE}
    first = _largest_mean(load, quantity, ratio)
    decode = (cycle - sweep.think - first) / load.decode
    most = sweep.longest(load.clients) / load.decode
    return {
        "value": decode,
        "most": most,
        "first_token": first,
        "unloaded": sweep.unloaded,
        "possible": decode <= most and first >= sweep.unloaded,
    }


_NOTHING_ELSE: dict[str, Any] = dict.fromkeys(("most", "first_token", "unloaded", "possible"))


def _largest_mean(load: Load, quantity: str, ratio: float) -> float:
    """The largest mean TTFT that goes with a published change of the mean or of the P99.

    All but a hundredth of the requests wait at most the P99, and none longer than for all others.
    """
    if quantity == "ttft-mean":
        return ratio * load.ttft_mean
    behind_all = load.clients / load.throughput + load.ttft_mean
    return (1 - TAIL) * ratio * load.ttft_p99 + TAIL * behind_all
