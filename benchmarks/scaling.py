"""Cost of a request against the size of everything: requests, workers, clients.

All runs are streamed: rows are counted and let go, and there are no columns of what the routers
saw, which are as wide as the pools. Set-up is included, so that short runs show its price.
"""

from typing import Any

from anarchy.common.files import Row
from benchmarks.measuring import Effort, Say, in_child, row, spend
from benchmarks.subjects import Subject

BASE = "70b-1p2d"
CLIENTS = 256
"""Of the sweeps over workers."""


def measure_requests(effort: Effort, say: Say) -> list[Row]:
    """Longer and longer runs, each length in a process of its own, with its memory."""
    rows: list[Row] = []
    seconds: dict[int, list[float]] = {}
    for count in _powers(10, 1000, effort.most_requests):
        say(f"{count:,} requests")
        repeats = effort.repeats if count < 10**7 else 1
        report, _ = in_child("stream", name=BASE, requests=count, changes={}, repeats=repeats)
        seconds[count] = [cpu / report["rows"] for cpu in report["cpu"]]
        id, what = f"scaling.requests.{count}.peak_memory", f"{count:,} requests, memory"
        rows.append(row(id, [report["peak"]], "bytes", "none", what))
    return [*_costs("requests", "requests", seconds), *rows]


def measure_decode_workers(effort: Effort, say: Say) -> list[Row]:
    """More decode workers, under both a router that looks at all of them and round robin."""
    return _pools("decode", effort, say)


def measure_prefill_workers(effort: Effort, say: Say) -> list[Row]:
    """More prefill workers."""
    return _pools("prefill", effort, say)


def _pools(pool: str, effort: Effort, say: Say) -> list[Row]:
    rows: list[Row] = []
    for policy, name in (("kv", ""), ("round-robin", ".round_robin")):
        sweep = {
            workers: {
                f"topology.{pool}": workers,
                "hardware.gpus": 8 * (workers + 8),
                "workload.clients": CLIENTS,
                "router.policy": policy,
            }
            for workers in _powers(2, 2, effort.most_workers)
        }
        seconds = _sweep(f"{pool} workers, {policy}", sweep, effort, say)
        rows += _costs(f"{pool}_workers{name}", f"{pool} workers, {policy}", seconds)
    return rows


def measure_concurrency(effort: Effort, say: Say) -> list[Row]:
    """More clients."""
    sweep = {c: {"workload.clients": c} for c in _powers(2, 1, effort.most_clients)}
    return _costs("concurrency", "clients", _sweep("clients", sweep, effort, say))


def _sweep(
    what: str, sweep: dict[int, dict[str, Any]], effort: Effort, say: Say
) -> dict[int, list[float]]:
    """Seconds per request at each point."""
    found: dict[int, list[float]] = {}
    for size, changes in sweep.items():
        say(f"{size} {what}")
        subject = Subject(BASE, effort.swept_requests, changes)
        subject.stream()
        spent = [spend(subject.stream) for _ in range(effort.repeats)]
        found[size] = [seconds.cpu / count for count, seconds in spent]
    return found


def _powers(base: int, first: int, most: int) -> list[int]:
    sizes = [first]
    while sizes[-1] * base <= most:
        sizes.append(sizes[-1] * base)
    return sizes


def _costs(name: str, of: str, seconds: dict[int, list[float]]) -> list[Row]:
    """Seconds per request, and relative to the first size."""
    head = f"scaling.{name}"
    costs = {
        size: row(f"{head}.{size}.seconds_per_request", values, "s", "cpu", f"{size:,} {of}")
        for size, values in seconds.items()
    }
    first = next(iter(costs.values()))
    rows = []
    for size, cost in costs.items():
        relative = [value / first["value"] for value in seconds[size]]
        rows += [cost, row(f"{head}.{size}.relative", relative, "1", "cpu", f"{size:,} {of}")]
    return rows
