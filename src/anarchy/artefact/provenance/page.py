"""The record of a build as one HTML page that needs nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from tabulate import tabulate

from anarchy.artefact.provenance.record import Provenance

SLOWEST = 20
"""Jobs that the page lists; the JSON has all of them."""

_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: .5rem 0 1.5rem }
th, td { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top }
th { border-bottom: 1px solid #888 }
td + td, details td { overflow-wrap: anywhere }
code, details td { font: 13px/1.5 ui-monospace, monospace }
summary { cursor: pointer; font-weight: bold }
"""


def page(provenance: Provenance) -> str:
    """What the build was made with and from, what its rules took, its slowest jobs, all hashes."""
    total = provenance.total
    slowest = sorted(provenance.jobs, key=lambda job: (-job.wall_s, job.name))[:SLOWEST]
    time = ("wall, s", "CPU, s", "peak, MiB")
    parts = [
        "<h1>What this build was made with and from</h1>",
        _pairs(_summary(provenance)),
        "<h2>What the rules took</h2>",
        f"<p>{total.jobs} jobs took {total.cpu_s:,.0f} s of CPU and {total.wall_s:,.0f} s one "
        f"after another; at least one of them ran for {total.busy_s:,.0f} s. The largest used "
        f"{total.peak_mib:,.0f} MiB. Jobs that an earlier build had finished count as they ran "
        "then; the record itself does not count.</p>",
        _table(
            ("rule", "jobs", *time),
            [(r.rule, r.jobs, *_figures(r.wall_s, r.cpu_s, r.peak_mib)) for r in provenance.rules],
        ),
        f"<h2>The {len(slowest)} slowest jobs</h2>",
        _table(
            ("job", *time),
            [(job.name, *_figures(job.wall_s, job.cpu_s, job.peak_mib)) for job in slowest],
        ),
        "<h2>Everything</h2>",
        _folded("packages", provenance.packages),
        _folded("inputs, SHA-256", provenance.inputs),
        _folded("outputs, SHA-256", provenance.outputs),
    ]
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>Provenance</title>\n<style>\n{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _summary(provenance: Provenance) -> dict[str, str]:
    commit, machine, settings = provenance.commit, provenance.machine, provenance.settings
    changed = ", with changes in tracked files" if commit.changed else ""
    overlay = f" with {provenance.overlay} laid over it" if provenance.overlay else ""
    return {
        "commit": (commit.id or "unknown: neither git nor a file says it") + changed,
        "configuration": f"config/config.yaml{overlay}",
        "seed": str(provenance.seed),
        "precision": f"{settings.replications} replications of {settings.requests} requests",
        "machine": f"{machine.cpu}, {machine.cores} cores, {machine.memory_gib} GiB",
        "system": machine.platform,
        "Python": machine.python,
        **{f"digest, {group}": digest for group, digest in provenance.digests.items()},
    }


def _figures(wall: float, cpu: float, peak: float) -> tuple[str, str, str]:
    return f"{wall:,.1f}", f"{cpu:,.1f}", f"{peak:,.0f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    right = ("left", *["right"] * (len(head) - 1))
    return tabulate(rows, head, tablefmt="html", colalign=right, disable_numparse=True)


def _pairs(values: Mapping[str, str]) -> str:
    return tabulate(values.items(), tablefmt="html", disable_numparse=True)


def _folded(name: str, values: Mapping[str, str]) -> str:
    summary = f"<summary>{len(values)} {escape(name)}</summary>"
    return f"<details>{summary}\n{_pairs(values)}\n</details>"
