"""The tables of studies, bounds and scenarios: which rows and columns they have."""

from collections.abc import Mapping, Sequence

from anarchy.artefact.display import (
    MISSING,
    labelled,
    number,
    scale_for,
    scaled,
    told_apart,
    with_unit,
)
from anarchy.artefact.labels import field_label, scenario_name, value_text
from anarchy.artefact.study_panels import panel_names, panel_values
from anarchy.artefact.tables.booktabs import Column, latex_table
from anarchy.common.files import Row
from anarchy.config.experiment import OUTPUT_TOKENS, KneeMap, Value
from anarchy.config.scenario import Scenario, get_field
from anarchy.measure.measures import get_measure


def feasible_table(name: str, study: KneeMap, rows: Sequence[Row], limits: Sequence[Row]) -> str:
    """For each panel and height of the figure, the output lengths that laws and runs allow."""
    y = study.figure.y
    body: list[list[str]] = []
    for panel, setting in enumerate(panel_names(study)):
        body += [[]] * bool(body)
        for place, value in enumerate(study.axes[y]):
            shown = "" if place else setting.replace("\n", ", ")
            allowed = _allowed(study, rows, limits, panel, value)
            body.append([shown, value_text(y, value, study.axes[y]), *allowed])
    columns = [
        Column("setting", "p", 0.2),
        Column("prompts per step", "r"),
        Column("bounds allow", "r"),
        Column("N* allows", "r"),
        Column("found in simulation", "p", 0.22),
        Column("knees", "r"),
    ]
    caption = (
        f"{study.title}: output tokens with which the knees of all scenarios lie above "
        f"{number(study.above)} and at or below {number(study.upto)} clients, by the bounds of "
        "operational laws, by N*, and on the study's grid by simulation, where the runs of all "
        f"{study.replications} seeds have to agree; the knees are those of the first"
    )
    return latex_table(columns, body, caption, f"studies:{name}")


def _allowed(
    study: KneeMap, rows: Sequence[Row], limits: Sequence[Row], panel: int, y: Value
) -> list[str]:
    """The lengths that bounds and N* allow at a height of a panel, those found, and their knees."""
    axis = study.figure.y
    point = panel_values(study, study.figure.panels[panel]) | {axis: y}
    del point[OUTPUT_TOKENS]
    same = [row for row in rows if all(row[path] == value for path, value in point.items())]
    members = [row for row in same if row["feasible"]]
    knees = [row[f"knee:{name}"] for row in members for name in study.scenarios]
    laws = {
        row["id"]: _range(row["lo"], row["hi"], ".1f")
        for row in limits
        if (row["panel"], row[axis], row["scenario"]) == (panel, y, "all")
    }
    return [
        laws["bracket"],
        laws["crossing"],
        ", ".join(number(row[OUTPUT_TOKENS]) for row in members) or "none",
        _range(min(knees, default=None), max(knees, default=None), "d"),
    ]


def _range(lo: float | None, hi: float | None, form: str) -> str:
    return MISSING if lo is None or hi is None else f"{lo:{form}} to {hi:{form}}"


def facts_table(name: str, study: KneeMap, rows: Sequence[Row]) -> str:
    """One row a published fact: what the members of the feasible set give, and how many meet it."""
    body = []
    for row in rows:
        measure = get_measure(str(row["measure"]), study.estimators)
        ends = [row["at_least"], row["at_most"], row["lo"], row["hi"]]
        scale = scale_for(measure.unit, ends)
        least, most = (scaled(end, scale.factor) for end in ends[:2])
        lo, hi = told_apart(ends[2], ends[3], scale.factor)
        body.append(
            [
                str(row["id"]),
                str(row["text"]),
                labelled(measure.label, scale.unit),
                number(row["clients"]),
                f"{least} to {most}",
                f"{lo} to {hi}",
                f"{row['met']} of {row['n']}",
            ]
        )
    columns = [
        Column("claim"),
        Column("published", "p", 0.26),
        Column("our measure", "p", 0.16),
        Column("clients C", "r"),
        Column("wanted", "r"),
        Column("found", "r"),
        Column("met by", "r"),
    ]
    caption = (
        f"{study.title}: published facts that were not fitted, against the settings that put the "
        "knee of every scenario where it was published. Found is the range over settings and "
        "scenarios, of one run each; a setting meets a fact if all of its scenarios do"
    )
    return latex_table(columns, body, caption, f"facts:{name}")


def bounds_table(rows: Sequence[Row]) -> str:
    """The reference values as our solvers computed them, each with its source."""
    columns = [
        Column("quantity", "p", 0.17),
        Column("setting", "p", 0.27),
        Column("exact", "r"),
        Column("value", "r"),
        Column("solved by", "p", 0.15),
        Column("reference", "p", 0.15),
    ]
    body: list[list[str]] = []
    above: tuple[str, str] | None = None
    for row in rows:
        method = str(row["method"]) + (" (certified)" if row.get("certified") else "")
        group = (str(row["quantity"]), method)
        # What a row shares with the one above is said once; a gap starts a new group.
        if above and group != above:
            body.append([])
        body.append(
            [
                group[0] if group != above else "",
                str(row["setting"]),
                str(row.get("exact") or MISSING),
                number(row["value"], 5),
                method if group != above else "",
                str(row["source"]),
            ]
        )
        above = group
    return latex_table(columns, body, "Reference bounds, computed by our solvers", "bounds")


def theorems_table(rows: Sequence[Row]) -> str:
    """The checks of the theorems: instances by statement and quantity, and how many hold."""
    columns = [
        Column("statement", "p", 0.16),
        Column("compared", "p", 0.34),
        Column("found by", "p", 0.29),
        Column("instances", "r"),
        Column("hold", "r"),
    ]
    groups: dict[tuple[str, str, str], list[bool]] = {}
    for row in rows:
        statement = str(row["theorem"]).split(":")[-1].replace("-", " ")
        key = (statement, str(row["quantity"]), str(row["method"]))
        groups.setdefault(key, []).append(bool(row["holds"]))
    body: list[list[str]] = []
    above: str | None = None
    for (statement, quantity, method), holds in groups.items():
        if above not in (None, statement):
            body.append([])
        shown = statement if statement != above else ""
        body.append([shown, quantity, method, number(len(holds)), number(sum(holds))])
        above = statement
    caption = (
        "The theorems beside solvers that do not know them: instances on which each was checked, "
        "and on how many the solver found what it states"
    )
    return latex_table(columns, body, caption, "theorems")


def assumption_table(scenarios: Mapping[str, Scenario]) -> str:
    """What nobody published: field, value and reason, scenarios that agree taken together."""
    shared: dict[tuple[str, str, str], list[str]] = {}
    for name, scenario in scenarios.items():
        for path, reason in scenario.assumptions.items():
            value = get_field(scenario, path)
            label = field_label(path)
            scale = scale_for(label.unit, [value] if isinstance(value, int | float) else [])
            text = with_unit(value_text(path, value), scale.unit)
            shared.setdefault((path, text, reason), []).append(name)
    body = [
        [
            field_label(path).name,
            text,
            "all" if len(names) == len(scenarios) else ", ".join(map(scenario_name, names)),
            reason,
        ]
        for (path, text, reason), names in sorted(shared.items(), key=lambda item: item[0][0])
    ]
    columns = [
        Column("assumption", "p", 0.19),
        Column("value", "p", 0.13),
        Column("scenarios", "p", 0.18),
        Column("why", "p", 0.40),
    ]
    caption = "Assumptions: what no public source states, and why each value was chosen"
    return latex_table(columns, body, caption, "assumptions")


def scenario_table(scenarios: Mapping[str, Scenario]) -> str:
    """The deployments: model, GPUs, topology and workload."""
    body = [
        [
            scenario_name(name),
            scenario.model.name,
            f"{scenario.hardware.gpus} {scenario.hardware.gpu}",
            str(scenario.hardware.gpus_per_worker),
            f"{scenario.topology.prefill}P/{scenario.topology.decode}D",
            _workload(scenario),
        ]
        for name, scenario in scenarios.items()
    ]
    columns = [
        Column("scenario"),
        Column("model", "p", 0.2),
        Column("GPUs"),
        Column("per worker", "r"),
        Column("topology"),
        Column("workload", "p", 0.30),
    ]
    return latex_table(columns, body, "The deployments and their workloads", "scenarios")


def _workload(scenario: Scenario) -> str:
    load = scenario.workload
    if load.kind == "trace":
        return f"trace {load.trace}" + (f", first {load.rows} rows" if load.rows else "")
    if load.kind == "synthetic-trace":
        return f"synthetic trace like {load.parameters}, {load.rows} rows"
    if load.kind == "custom":
        return load.workload
    sources = {
        "closed-loop": "closed loop",
        "mmpp": "bursts (MMPP)",
        "phases": "load steps",
    }
    source = f"Poisson, {load.rate:g} requests/s" if load.kind == "poisson" else sources[load.kind]
    if load.tenants:
        return f"{source}; tenants {', '.join(tenant.name for tenant in load.tenants)}"
    return (
        f"{source}; {load.templates} templates, {load.input_tokens} tokens in, "
        f"{load.output_tokens} out"
    )
