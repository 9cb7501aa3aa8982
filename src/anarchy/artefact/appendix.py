"""The appendix: one page per experiment, written from its file, so that new ones just appear."""

from collections.abc import Mapping
from pathlib import Path

from anarchy.artefact.labels import field_label, scenario_name
from anarchy.artefact.latex import latex_escape
from anarchy.common.files import write_text
from anarchy.config.experiment import Experiment

HEADER = "% Written by the rule write_appendix from config/experiments; do not edit.\n"
FRAMED = "; framed: the published deployment"


def write_appendix(experiments: Mapping[str, Experiment], out: Path) -> None:
    """Write a page for every experiment, in the order of their names.

    A page has title, question, what runs and the table of all points. Figure, knees, comparison
    and spread follow unless `figure.in_text` says that the paper's text shows them; what a build
    has left out is said in its place. Names of experiments are safe in LaTeX and in paths; all
    other text is escaped.
    """
    pages = [_page(name, experiments[name]) for name in sorted(experiments)]
    write_text(out, HEADER + "\\clearpage\n".join(pages))


def _page(name: str, experiment: Experiment) -> str:
    title = latex_escape(experiment.title)
    scenarios = ", ".join(map(scenario_name, experiment.scenarios))
    sweep = "; ".join(f"{field_label(f).name}: {len(v)} values" for f, v in experiment.axes.items())
    lines = [
        rf"\subsection{{{title}}}\label{{app:{name}}}",
        rf"\textit{{{latex_escape(experiment.question)}}}\par\smallskip",
        rf"\noindent Scenarios: {latex_escape(scenarios)}."
        + (f" Swept: {latex_escape(sweep)}." if sweep else ""),
        rf"\par\noindent File: \texttt{{config/experiments/{name}.yaml}}.",
        rf"\experimenttable{{experiments}}{{{name}}}",
    ]
    if not experiment.figure.in_text:
        framed = FRAMED if experiment.figure.published else ""
        lines.append(rf"\experimentfigure{{{name}}}{{{title}{framed}.}}")
        if experiment.knee:
            lines.append(rf"\experimenttable{{knees}}{{{name}}}")
        if experiment.compare:
            lines.append(rf"\experimenttable{{compare}}{{{name}}}")
        if experiment.spread:
            lines.append(rf"\experimenttable{{spread}}{{{name}}}")
    return "\n".join(lines) + "\n"
