"""The table of where something is lost: one row an experiment that encloses what its runs lost."""

from collections.abc import Mapping, Sequence

from anarchy.artefact.labels import axis_label, setting_text
from anarchy.artefact.sweep_axes import point_fields, swept_values
from anarchy.artefact.tables.booktabs import Column, latex_table
from anarchy.common.files import Row
from anarchy.config.experiment import Experiment

LOAD = "workload.clients"
MEASURE = "e2e-mean"


def losses_table(experiments: Mapping[str, Experiment], rows: Sequence[Row]) -> str:
    """The largest certain loss by mean end-to-end latency, where it is, and how many points lose.

    `rows` are those of `measure.bracket.summary.largest_rows`.
    """
    columns = [
        Column("experiment", "p", 0.25),
        Column("loses most at", "p", 0.22),
        Column(axis_label(LOAD), "r"),
        Column("factor lost"),
        *(Column(head, "r") for head in ("points", "≥ 1.1", "≥ 2", "≥ 5", "< 1.05")),
    ]
    body = []
    for row in rows:
        if row["measure"] != MEASURE:
            continue
        experiment = experiments[row["experiment"]]
        where = [
            setting_text(field, row[field], swept_values(experiment, field))
            for field in point_fields(experiment)
            if field != LOAD
        ]
        counts = [str(row[name]) for name in ("points", "tenth", "double", "fivefold", "nothing")]
        between = f"{row['lo']:.2f} to {row['hi']:.2f}"
        load = str(row[LOAD]) if LOAD in row else ""
        body.append([experiment.title, ", ".join(where), load, between, *counts])
    caption = (
        "Where something is lost, by mean end-to-end latency: of each experiment the point whose "
        "loss is largest for certain, with both ends of its bracket and their intervals, the "
        "number of points, and how many of them certainly lose a tenth, half or four fifths of "
        "what could be had, or certainly less than 5 %"
    )
    return latex_table(columns, body, caption, "losses")
