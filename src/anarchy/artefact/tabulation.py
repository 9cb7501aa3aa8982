"""Which rows and columns each table of the paper has; how a table looks is `tables`."""

from collections.abc import Mapping, Sequence

from anarchy.artefact.cells import by_cell, cell_fields, cell_order, position, swept_values
from anarchy.artefact.display import MISSING, Scale, labelled, number, scale_for, with_interval
from anarchy.artefact.labels import axis_label, field_label, scenario_name, value_text
from anarchy.artefact.tables import Column, latex_table, wide_table
from anarchy.config import Experiment, KneeMap, Scenario, get_field
from anarchy.errors import InputError, suggest
from anarchy.files import Row


def experiment_table(name: str, experiment: Experiment, rows: Sequence[Row]) -> str:
    """One row a cell, the settings first, then each measure with its 95 % interval."""
    fields = cell_fields(experiment)
    cells = by_cell(fields, rows)
    order = sorted(cells, key=lambda cell: cell_order(experiment, fields, cell))
    columns, texts = [], []
    for measure in experiment.table.measures:
        column = [cells[cell].get(measure) for cell in order]
        present = [row for row in column if row is not None]
        if not present:
            known = {str(row["id"]) for row in rows}
            raise InputError(
                f"experiment {name}: table.measures: no row has '{measure}'; "
                f"{suggest(measure, known)}"
            )
        scale = scale_for(present[0].get("unit"), [row["value"] for row in present])
        columns.append(Column(labelled(str(present[0]["label"]), scale.unit), "r"))
        texts.append([_estimate(row, scale) for row in column])
    body: list[list[str]] = []
    for i, cell in enumerate(order):
        if i and len(fields) > 1 and cell[0] != order[i - 1][0]:
            body.append([])
        settings = [
            value_text(f, v, swept_values(experiment, f)) for f, v in zip(fields, cell, strict=True)
        ]
        body.append(settings + [column[i] for column in texts])
    return wide_table(
        _key_columns(experiment, fields, rows),
        columns,
        body,
        f"{experiment.title}: values with 95 % intervals.",
        f"experiment:{name}",
    )


def knee_table(name: str, experiment: Experiment, knees: Sequence[Row]) -> str:
    """One row a scenario: the interval that holds the knee and the operational bound."""
    if experiment.knee is None:
        raise InputError(f"experiment {name}: has no `knee` to tabulate")
    fields = [k for k in (knees[0] if knees else {}) if k not in ("id", "value", "unit")]
    cells = by_cell(fields, knees)
    body = []
    for cell in sorted(cells, key=lambda cell: cell_order(experiment, fields, cell)):
        values = {k: row["value"] for k, row in cells[cell].items()}
        bound = values.get("operational-bound")
        settings = [value_text(f, v) for f, v in zip(fields, cell, strict=True)]
        body.append([*settings, knee_text(values), number(bound, 4)])
    symbol = field_label(experiment.knee.field).name
    columns = [
        *(Column(field_label(f).name) for f in fields),
        Column(f"knee in {symbol}", "r"),
        Column("operational bound N*", "r"),
    ]
    caption = (
        f"{experiment.title}: the grid interval in which the load first reaches "
        f"{number(100 * experiment.knee.busy)} % of capacity, and where the asymptotes cross."
    )
    return latex_table(columns, body, caption, f"knees:{name}")


def knee_text(values: Mapping[str, float | None]) -> str:
    """The half-open interval of a knee: "(96, 128]", or "> 512" when no load was enough."""
    lo, hi = values.get("knee-lo"), values.get("knee-hi")
    if hi is None or hi == float("inf"):
        return MISSING if lo is None else f"> {number(lo)}"
    return f"({number(lo or 0)}, {number(hi)}]"


def comparison_table(name: str, experiment: Experiment, rows: Sequence[Row]) -> str:
    """One row a paired difference: alternative minus baseline, ratio, and whether they differ."""
    if experiment.compare is None:
        raise InputError(f"experiment {name}: has no `compare` to tabulate")
    field = experiment.compare.field
    fields = [f for f in cell_fields(experiment) if f != field]
    order = {measure: i for i, measure in enumerate(experiment.compare.measures)}
    swept = swept_values(experiment, field)
    body = []
    for row in sorted(
        rows,
        key=lambda r: (
            order.get(r["id"], len(order)),
            cell_order(experiment, fields, tuple(r.get(f) for f in fields)),
            position(r["alternative"], swept),
        ),
    ):
        scale = scale_for(row.get("unit"), [row["value"], row["lo"], row["hi"]])
        body.append(
            [
                str(row["label"]),
                *(value_text(f, row.get(f), swept_values(experiment, f)) for f in fields),
                value_text(field, row["alternative"], swept),
                value_text(field, row["baseline"], swept),
                _with_unit(_estimate(row, scale), scale.unit),
                number(row.get("ratio"), 3),
                "yes" if row["differs"] else "no",
            ]
        )
    called = field_label(field).name
    columns = [
        Column("measure"),
        *_key_columns(experiment, fields, rows),
        Column(called),
        Column("against"),
        Column("difference", "r"),
        Column("ratio", "r"),
        Column("differs"),
    ]
    caption = (
        f"{experiment.title}: paired differences with 95 % intervals; they differ where the "
        "interval leaves out zero."
    )
    return latex_table(columns, body, caption, f"compare:{name}")


def feasible_table(name: str, study: KneeMap, feasible: Sequence[Row]) -> str:
    """The settings under which every scenario has the published knee; the chosen one is marked."""
    axes = list(study.axes)
    columns = [Column(axis_label(axis, study.axes[axis]), "r") for axis in axes]
    columns += [Column(f"knee {scenario_name(s)}", "r") for s in study.scenarios]
    body = [
        [
            *(value_text(axis, row[axis], study.axes[axis]) for axis in axes),
            *(number(row.get(f"knee:{s}")) for s in study.scenarios),
            "chosen" if row["chosen"] else "",
        ]
        for row in sorted(
            (row for row in feasible if row["feasible"]),
            key=lambda row: [position(row[axis], study.axes[axis]) for axis in axes],
        )
    ]
    caption = (
        f"{study.title}: all {len(body)} of {len(feasible)} settings that put the knee of every "
        f"scenario above {number(study.above)} and at or below {number(study.upto)} clients."
    )
    return latex_table([*columns, Column("")], body, caption, f"study:{name}")


def bounds_table(rows: Sequence[Row]) -> str:
    """The reference values as our solvers computed them, each with its source."""
    columns = [
        Column("quantity", "p", 0.17),
        Column("setting", "p", 0.25),
        Column("exact", "r"),
        Column("value", "r"),
        Column("solved by", "p", 0.17),
        Column("reference", "p", 0.18),
    ]
    body = [
        [
            str(row["quantity"]),
            str(row["setting"]),
            str(row.get("exact") or MISSING),
            number(row["value"], 6),
            str(row["method"]) + (" (certified)" if row.get("certified") else ""),
            str(row["source"]),
        ]
        for row in rows
    ]
    return latex_table(columns, body, "Reference bounds, computed by our solvers.", "bounds")


def assumption_table(scenarios: Mapping[str, Scenario]) -> str:
    """What nobody published: field, value and reason, scenarios that agree taken together."""
    shared: dict[tuple[str, str, str], list[str]] = {}
    for name, scenario in scenarios.items():
        for path, reason in scenario.assumptions.items():
            value = get_field(scenario, path)
            label = field_label(path)
            scale = scale_for(label.unit, [value] if isinstance(value, int | float) else [])
            text = _with_unit(value_text(path, value), scale.unit)
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
    caption = "Assumptions: what no public source states, and why each value was chosen."
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
        Column("model", "p", 0.22),
        Column("GPUs"),
        Column("per worker", "r"),
        Column("topology"),
        Column("workload", "p", 0.30),
    ]
    return latex_table(columns, body, "The deployments and their workloads.", "scenarios")


def _workload(scenario: Scenario) -> str:
    load = scenario.workload
    if load.kind == "trace":
        return f"trace {load.trace}" + (f", first {load.rows} rows" if load.rows else "")
    source = "closed loop" if load.kind == "closed-loop" else f"Poisson, {load.rate:g} requests/s"
    return (
        f"{source}; {load.templates} templates, {load.input_tokens} tokens in, "
        f"{load.output_tokens} out"
    )


def _key_columns(
    experiment: Experiment, fields: Sequence[str], rows: Sequence[Row]
) -> list[Column]:
    def numeric(field: str) -> bool:
        values = swept_values(experiment, field)
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)

    return [
        Column(
            axis_label(f, swept_values(experiment, f)),
            "r" if f != "scenario" and numeric(f) else "l",
        )
        for f in fields
    ]


def _estimate(row: Row | None, scale: Scale) -> str:
    if row is None:
        return MISSING
    return with_interval(row["value"], row.get("lo"), row.get("hi"), scale.factor)


def _with_unit(text: str, unit: str) -> str:
    return f"{text} {unit}" if unit and text != MISSING else text
