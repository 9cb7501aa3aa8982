"""The tables of a study of estimators: the best recipes, and who meets which published property."""

from collections.abc import Sequence

from anarchy.artefact.display import number, scaled
from anarchy.artefact.labels import scenario_name
from anarchy.artefact.tables.booktabs import Column, latex_table
from anarchy.common.files import Row
from anarchy.config.estimator import EstimatorStudy, Property

EXTREMES = 3
"""Best and worst kinds of members in the table of thermometers."""


def members_table(
    name: str, study: EstimatorStudy, members: Sequence[Row], curves: Sequence[Row]
) -> str:
    """The recipes that the figure shows, in order of rank: what they read and how many they meet.

    `members` and `curves` are the rows of `ranking`.
    """
    shown = dict.fromkeys(str(row["id"]) for row in curves)
    rows = {str(row["id"]): row for row in members}
    columns = [
        Column("window", "p", 0.11),
        Column("numerator / entry", "p", 0.18),
        Column("matching"),
        *(Column(scenario_name(s), "r") for s in study.scenarios),
        Column("growth", "r"),
        Column("spread (%)", "r"),
        Column("met", "r"),
    ]
    body = [
        [
            str(rows[id]["window"]),
            f"{rows[id]['numerator']} / {rows[id]['entry']}",
            str(rows[id]["matching"]),
            *(number(rows[id][f"plateau:{s}"], 3) for s in study.scenarios),
            number(rows[id]["growth"], 3),
            scaled(rows[id]["spread"], 100, 2),
            number(rows[id]["score"]),
        ]
        for id in shown
    ]
    required = f", all with the property {study.survive}" if study.survive else ""
    caption = (
        f"{study.title}: the estimators that meet most of the published properties, the best of "
        f"each kind of window, numerator and matching, out of {len(members)} members{required}. "
        f"Plateaus at {study.plateau} clients on each topology, growth from there to {study.deep} "
        "(the least over the topologies), spread as coefficient of variation over the router's "
        f"settings (the largest), and properties met, of {len(study.properties)}"
    )
    return latex_table(columns, body, caption, f"studies:{name}")


def properties_table(name: str, study: EstimatorStudy, summary: Sequence[Row]) -> str:
    """One row a published property: how it is judged, and how many members meet it."""
    found = {str(row["id"]): row for row in summary}
    columns = [
        Column("claim"),
        Column("published", "p", 0.40),
        Column("judged by", "p", 0.22),
        Column("members", "r"),
        Column("share", "r"),
    ]
    body = []
    for key, wanted in study.properties.items():
        row = found[f"met:{key}"]
        body.append(
            [
                wanted.claim,
                wanted.text,
                f"{wanted.statistic} {_range(wanted)}",
                number(row["value"]),
                _percent(row["value"] / row["n"]),
            ]
        )
    caption = (
        f"{study.title}: the published properties and how many of {found['members']['value']} "
        "estimators meet each. A property that most of them meet is no evidence for any"
    )
    return latex_table(columns, body, caption, f"facts:{name}")


def thermometer_table(name: str, study: EstimatorStudy, members: Sequence[Row]) -> str:
    """How the indices follow what runs lost: compared members, then the best and the worst.

    `members` are the rows of `ranking`; of the best and the worst one of each kind of window,
    numerator and entry.
    """
    rows = {str(row["id"]): row for row in members}
    known = [row for row in members if row["e2e-order"] is not None]
    falling = sorted(known, key=lambda row: (-row["e2e-order"], row["id"]))
    groups = [
        [rows[id] for id in study.compared if id in rows],
        _first_of_kinds(falling),
        _first_of_kinds(falling[::-1])[::-1],
    ]
    columns = [
        Column("window, matching", "p", 0.13),
        Column("numerator / entry", "p", 0.17),
        Column("order, E2E", "r"),
        Column("order, TTFT", "r"),
        Column("rank, least", "r"),
        Column("rank, most", "r"),
        Column("slope", "r"),
    ]
    body: list[list[str]] = []
    for group in groups:
        body += [[], *map(_thermometer, group)] if body else list(map(_thermometer, group))
    caption = (
        f"{study.title}: how indices follow what runs lost, with half-widths of 95 % intervals "
        f"over {study.replications} replications: the plainest, the best and the worst. "
        "Order: of pairs of runs whose brackets do not overlap, by how much more are ordered "
        "rightly than wrongly, by mean E2E and by mean TTFT. Rank: Spearman's coefficient with the "
        "least and the most that a run can have lost, by mean E2E. Slope of the logarithms"
    )
    return latex_table(columns, body, caption, f"thermometers:{name}")


def _first_of_kinds(rows: Sequence[Row]) -> list[Row]:
    kinds: dict[tuple[str, ...], Row] = {}
    for row in rows:
        kind = tuple(str(row[key]) for key in ("window", "numerator", "entry"))
        kinds.setdefault(kind, row)
    return list(kinds.values())[:EXTREMES]


def _thermometer(row: Row) -> list[str]:
    columns = ("e2e-order", "ttft-order", "e2e-rank:least", "e2e-rank:most", "e2e-slope")
    return [
        f"{row['window']}, {row['matching']}",
        f"{row['numerator']} / {row['entry']}",
        *(_with_half_width(row, column) for column in columns),
    ]


def _with_half_width(row: Row, column: str) -> str:
    value = row[column]
    return "none" if value is None else f"{value:.2f} ± {row[f'{column}-hi'] - value:.2f}"


def _range(wanted: Property) -> str:
    if wanted.at_most is None:
        return f"≥ {number(wanted.at_least)}"
    if wanted.at_least is None:
        return f"≤ {number(wanted.at_most)}"
    return f"{number(wanted.at_least)} to {number(wanted.at_most)}"


def _percent(share: float | None) -> str:
    return number(share) if share is None else f"{number(100 * share, 2)} %"
