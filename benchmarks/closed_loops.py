"""Simulated requests per second of the published closed loops, on the kernel and on SimPy."""

from functools import partial

from anarchy.common.files import Row
from anarchy.serving.simulate import Simulator
from benchmarks.measuring import Effort, Say, in_turns, ratio, row, spend
from benchmarks.subjects import CLOSED_LOOPS, closed_loop


def measure(effort: Effort, say: Say) -> list[Row]:
    """Each loop and the slowest of them; the whole call of `simulate` with its log is timed."""
    sides: dict[Simulator, int] = {
        "compiled": effort.requests,
        "reference": effort.reference_requests,
    }
    loops = {
        (name, side): closed_loop(name, requests)
        for name in CLOSED_LOOPS
        for side, requests in sides.items()
    }

    def speed(name: str, side: Simulator) -> tuple[float, float]:
        run, spent = spend(lambda: loops[name, side].run(side))
        return len(run.log) / spent.cpu, len(run.log) / spent.wall

    for name in CLOSED_LOOPS:
        closed_loop(name, 100).run("compiled")  # compiles
    subjects = {f"{name} on {side}": partial(speed, name, side) for name, side in loops}
    found = in_turns(subjects, effort.repeats, say)
    rows, ratios = [], {}
    for name, clients in CLOSED_LOOPS.items():
        own, reference = found[f"{name} on compiled"], found[f"{name} on reference"]
        head, what = f"closed_loop.{name}", f"{name}, {clients} clients"
        fast = row(f"{head}.requests_per_second", [a for a, _ in own], "1/s", "cpu", what)
        slow = [a for a, _ in reference]
        rows += [
            fast,
            row(
                f"{head}.requests_per_wall_second",
                [b for _, b in own],
                "1/s",
                "wall",
                f"{what}, by the clock on the wall",
            ),
            row(f"{head}.simpy_requests_per_second", slow, "1/s", "cpu", f"{what}, on SimPy"),
        ]
        ratios[name] = ratio(
            f"{head}.ratio_to_simpy", [a for a, _ in own], slow, "cpu", f"{what}, over SimPy"
        )
        rows.append(ratios[name])
    speeds = {name: found[f"{name} on compiled"] for name in CLOSED_LOOPS}
    slowest = min(speeds, key=lambda name: sorted(a for a, _ in speeds[name])[effort.repeats // 2])
    for field in ("requests_per_second", "simpy_requests_per_second", "ratio_to_simpy"):
        same = next(r for r in rows if r["id"] == f"closed_loop.{slowest}.{field}")
        rows.append({**same, "id": f"closed_loop.{field}", "what": f"the slowest: {same['what']}"})
    return rows
