"""A small project with a finished build: one experiment, one macro, one claim."""

from pathlib import Path

import pytest

from anarchy.artefact.explanation.build import Build
from anarchy.artefact.provenance.job_logs import read_jobs
from anarchy.artefact.provenance.record import record, write_record
from anarchy.common.files import write_rows
from anarchy.common.paths import ROOT, SETTINGS
from anarchy.config.settings import load_settings
from tests.artefact.provenance.builds import write_log

CLAIMS = """\
confidence: 0.95
claims:
  - id: C01
    text: the tail grows
    published: tenfold
    mark: A
    where: sec:sweep
    tests:
      - text: the tail at the end over that at the start
        rule: ratio
        rows: {file: experiments/sweep.json, id: tail}
        of: {file: experiments/other.json, id: tail}
    mechanisms:
      - text: with a cache
        tests:
          - {text: the hits, rule: value, rows: {file: experiments/sweep.json, id: hits}}
  - id: C02
    text: not to be judged
    published: 3
    mark: B
    where: eq:tail
    open: no such machine
"""

NUMBERS = """\
# Numbers of the sweep.
- {macro: TailMost, file: experiments/sweep.json, id: tail, where: {clients: 8}, format: ".1f"}
- {macro: Gain, file: experiments/sweep.json, id: "gain:of-two", format: ".1f"}
- {macro: TailNone, file: experiments/other.json, id: tail, format: ".1f"}
"""

SECTION = r"""\section{A sweep}\label{sec:sweep}
The tail is \TailMost{} % not \Gain
and gains \Gain{}: Figure~\ref{fig:sweep}, claim C01.
\experimentfigure{sweep}{The tail.}
\experimenttable{experiments}{sweep}
\begin{equation}\label{eq:tail}
  T = 1 +
  n
\end{equation}
\begin{theorem}\label{thm:tail}It grows.\end{theorem}
"""

SCRIPT = '''"""Measure."""

from anarchy.common.files import write_rows
from anarchy.measure.tails import tail_rows, gain_rows

rows = tail_rows(snakemake.input.points)
write_rows(snakemake.output.measures, rows)
write_rows(snakemake.output.gains, gain_rows(rows))
'''

MODULE = '''"""Tails."""


def tail_rows(points):
    """The tail of each point, by Equation eq:tail.

    More on it.
    """
    return [{"id": "tail", "clients": p, "value": p} for p in points if p != "hits"]


def gain_rows(rows):
    """What is gained."""
    return [{"id": f"gain:{name}", "value": 1.0} for name in rows]
'''

AUX = r"""\relax
\newlabel{sec:sweep}{{1}{1}{A sweep}{section.1}{}}
\newlabel{fig:sweep}{{3}{12}{The {long} tail.\relax }{figure.caption.4}{}}
\newlabel{tab:experiments:sweep}{{A.2}{14}{}{table.2}{}}
\newlabel{thm:tail}{{3}{13}{}{theorem.3}{}}
"""

FILES = {
    "config/claims.yaml": CLAIMS,
    "config/experiments/sweep.yaml": "title: A sweep\nquestion: How long?\nscenarios: [one]\n",
    "config/studies/map.yaml": "kind: knee-map\ntitle: A map\nquestion: Where?\n",
    "config/scenarios/one.yaml": "description: one\n",
    "paper/main.tex": "\\input{sections/sweep}\n",
    "paper/sections/sweep.tex": SECTION,
    "paper/numbers.d/sweep.yaml": NUMBERS,
    "workflow/rules/measures.smk": "# Measures\n\n\nrule measure:\n    input:\n",
    "workflow/scripts/measure.py": SCRIPT,
    "src/anarchy/measure/tails.py": MODULE,
    "results/machine/latex/main.aux": AUX,
    "figures/sweep.pdf": "%PDF",
    "figures/sweep.png": "PNG",
    "paper/generated/tables/experiments/sweep.tex": r"\label{tab:experiments:sweep}",
}

INPUTS = ("config/experiments/sweep.yaml", "config/scenarios/one.yaml")

MEASURED = "results/experiments/sweep.json"
POINTS = "results/points/sweep/0.json"

JOBS = [
    ("measure/sweep", "output", MEASURED, "measures"),
    ("measure/sweep", "output", "results/experiments/sweep.gains.json", "gains"),
    ("measure/sweep", "input", POINTS, None),
    ("measure/sweep", "config", INPUTS[0], None),
    ("measure/sweep", "script", "workflow/scripts/measure.py", None),
    ("simulate/sweep/0", "output", POINTS, None),
    ("simulate/sweep/0", "input", INPUTS[1], None),
    ("simulate/sweep/0", "config", INPUTS[0], None),
    ("draw/sweep", "output", "figures/sweep.pdf", "pdf"),
    ("draw/sweep", "output", "figures/sweep.png", "png"),
    ("draw/sweep", "input", MEASURED, None),
    ("tabulate/sweep", "output", "paper/generated/tables/experiments/sweep.tex", None),
    ("tabulate/sweep", "input", MEASURED, None),
]

ROWS = [
    {"id": "tail", "clients": 4, "value": 2.5, "unit": "s", "lo": 2.0, "hi": 3.0, "n": 10},
    {"id": "tail", "clients": 8, "value": 7.25, "unit": "s", "lo": 7.0, "hi": 7.5, "n": 10},
    {"id": "gain:of-two", "value": float("inf"), "unit": "1"},
]


def write_project(root: Path) -> Path:
    """Write the project and its build; Snakemake would have written the same."""
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / SETTINGS).write_text((ROOT / SETTINGS).read_text())
    rows = [{"id": j, "role": r, "value": v, "name": n} for j, r, v, n in JOBS]
    write_rows(root / "results/machine/jobs.json", rows)
    write_rows(root / MEASURED, ROWS)
    write_rows(root / "results/experiments/sweep.gains.json", [])
    write_rows(root / POINTS, [{"id": "tail", "replication": 0, "value": 2.0}])
    verdict = {"id": "C01", "value": 9.0, "unit": "1", "verdict": "reproduced", "mechanism": None}
    write_rows(root / "results/claims.json", [verdict])
    write_log(root, "measure/sweep", MEASURED, cpu=1.5)
    write_log(root, "simulate/sweep/0", POINTS, cpu=2.25)
    recorded = record(
        root,
        overlay=None,
        settings=load_settings(root / SETTINGS),
        inputs=map(Path, INPUTS),
        made=[MEASURED, POINTS],
        jobs=read_jobs(root / "results/machine/logs"),
    )
    write_record(root / "results/machine/provenance.json", recorded)
    return root


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


@pytest.fixture
def build(project: Path) -> Build:
    return Build(project)
