"""What is said of each kind of name: its value, and the way that it came."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from anarchy.artefact.explanation import declarations
from anarchy.artefact.explanation.build import Build
from anarchy.artefact.explanation.functions import find_function
from anarchy.artefact.explanation.names import Named
from anarchy.artefact.explanation.origins import Origin, find_origin
from anarchy.artefact.explanation.places import Place, labels_in
from anarchy.artefact.explanation.way import Facts, described, labelled, rules_of, way_of
from anarchy.artefact.numbers import NoValue, Number, find_row, render
from anarchy.common.errors import InputError, shown

RULES = "anarchy.measure.claims.rules"
"""Where the rules of claims are: the function of each has its name."""


def explain(build: Build, named: Named) -> Facts:
    """All that is known of a name, in the order of the way from it to the inputs.

    The facts are a JSON object: {kind, name, ...}; which keys there are depends on the kind.
    """
    return {"kind": named.kind, "name": named.name} | _KINDS[named.kind](build, named.name)


def _macro(build: Build, name: str) -> Facts:
    place = build.macros[name]
    entry = declarations.read_macro(build.root, place)
    file = build.results(entry.file)
    facts: Facts = {
        "name": f"\\{name}",
        **_value(build, entry, file),
        "declared": str(place),
        "paper": _texts(build.paper.macro(name)),
    }
    return facts | _row_way(build, file, facts.get("row"), entry.id)


def _value(build: Build, entry: Number, file: str) -> Facts:
    """What a macro prints, and the row that it is read from, as far as these are there."""
    if not (build.root / file).is_file():
        return {}
    rows = build.rows(file)
    try:
        row = find_row(entry, rows)
    except NoValue as fault:
        return {"value": None, "without": str(fault)}
    position = next(i for i, each in enumerate(rows) if each is row)
    facts: Facts = {"value": _plain(row.get(entry.field))}
    try:
        facts["printed"] = render(entry, row)
    except NoValue as fault:
        facts["without"] = str(fault)
    return facts | {"row": _row_facts(row, build.row_place(file, position))}


def _row_facts(row: Mapping[str, Any], place: Place) -> Facts:
    return {"place": str(place), "columns": {key: _plain(value) for key, value in row.items()}}


def _plain(value: Any) -> Any:
    """A value as results have it: JSON knows no infinity."""
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _row_way(build: Build, file: str, row: Facts | None, row_id: str | None) -> Facts:
    """The way of a row: where its id is written, then the way of its file."""
    way = way_of(build, [file])
    rows = [row] if row else _rows_of(build, file, row_id) if row_id else []
    columns = rows[0]["columns"] if rows else {}
    origin = _origin(build, file, row_id, columns) if row_id and build.jobs else None
    labels = [x for x in columns.values() if isinstance(x, str) and labels_in(x) == [x]]
    for function in (*(origin["functions"] if origin else ()), *way.get("functions", ())):
        labels += function["labels"]
    return {"origin": origin, "labels": labelled(build, labels)} | way


def _origin(build: Build, file: str, row_id: str, columns: Facts) -> Facts | None:
    """Where an id is written: in modules behind the file's job or one before it, or in a config."""
    assert build.jobs is not None
    jobs = build.jobs.upstream([file])
    beside = [text for text in columns.values() if isinstance(text, str) and text != row_id]
    for script in dict.fromkeys(job.script for job in jobs if job.script):
        modules = [build.root / script, *build.modules(script)]
        if found := find_origin(row_id, beside, modules, build.root):
            return _described_origin(found)
    configs = dict.fromkeys(path for job in jobs for path in job.configs)
    for place in declarations.mentions(build.root, configs, row_id):
        return _described_origin(Origin(place, declarations.line(build.root, place), []))
    return None


def _described_origin(origin: Origin) -> Facts:
    given = origin.given
    functions = [*(given.functions if given else ()), *origin.functions]
    return {
        "place": str(origin.place),
        "text": origin.text,
        "given": {"place": str(given.place), "text": given.text} if given else None,
        "functions": [described(function) for function in dict.fromkeys(functions)],
    }


def _claim(build: Build, name: str) -> Facts:
    place = declarations.claims(build.root)[name]
    entry = declarations.read_claim(build.root, place)
    files = declarations.claimed_files(entry)
    verdicts = build.results("claims.json")
    found = _rows_of(build, verdicts, name)
    tests = _rows_of(build, build.results("claims.evidence.json"), name)
    columns = found[0]["columns"] if found else {}
    rules = dict.fromkeys(test["rule"] for test in declarations.tests_of(entry))
    functions = [find_function(f"{RULES}.{rule.replace('-', '_')}", build.root) for rule in rules]
    facts: Facts = {
        "says": entry["text"],
        "published": entry["published"],
        **({"verdict": columns["verdict"], "why": columns["mechanism"]} if found else {}),
        **({"value": columns["value"], "row": found[0]} if found else {}),
        "declared": str(place),
        "paper": _texts([build.paper.label(entry["where"]), *build.paper.places(rf"\b{name}\b")]),
        "tests": [test["columns"] for test in tests],
    }
    way = way_of(build, [build.results(file) for file in files] or [verdicts])
    way["rules"] = rules_of(build, [verdicts])
    way["functions"] = [described(f) for f in functions if f is not None]
    return facts | way | {"rebuild": build.command(verdicts)}


def _experiment(build: Build, name: str) -> Facts:
    return _swept(build, name, declarations.experiments(build.root)[name], f"experiments/{name}")


def _study(build: Build, name: str) -> Facts:
    place = declarations.studies(build.root)[name]
    kind = declarations.read_file(build.root, place).get("kind")
    file = name if kind == "estimators" else f"studies/{name}"
    return _swept(build, name, place, file)


def _swept(build: Build, name: str, place: Place, results: str) -> Facts:
    entry = declarations.read_file(build.root, place)
    file = build.results(f"{results}.json")
    outputs = [file]
    if build.jobs is not None:
        outputs = [path for path in build.jobs.outputs() if _is_of(build, path, name)]
    return {
        "says": entry.get("title"),
        "question": entry.get("question"),
        "declared": str(place),
        "paper": _texts(build.paper.figure(name)),
        "outputs": outputs,
        "macros": _macros_of(build, outputs),
        **way_of(build, [file]),
    }


def _is_of(build: Build, path: str, name: str) -> bool:
    """Whether a file is one that an experiment or study is looked at for."""
    inner = ("points/", "logs/", "knees/", "indices/")
    results = f"{build.out.results.as_posix()}/"
    if path.removeprefix(results).startswith(inner) and path.startswith(results):
        return False
    return Path(path).name.partition(".")[0] in (name, f"{name}-thermometer")


def _names_of(build: Build, paths: Sequence[str]) -> list[str]:
    folder = f"{build.out.results.as_posix()}/"
    return [path.removeprefix(folder) for path in paths if path.startswith(folder)]


def _figure(build: Build, name: str) -> Facts:
    files = [f"{build.out.figures.as_posix()}/{name}.{kind}" for kind in ("pdf", "png")]
    return {
        "file": files[0],
        "number": build.numbering.number(f"fig:{name}"),
        "paper": _texts(build.paper.figure(name)),
        **way_of(build, files),
    }


def _table(build: Build, name: str) -> Facts:
    file = f"{build.out.generated.as_posix()}/tables/{name}.tex"
    path = build.root / file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    label = next((x for x in labels_in(text) if x.startswith("tab:")), _label_of(name))
    return {
        "file": file,
        "number": build.numbering.number(label),
        "empty": path.is_file() and not text,
        "paper": _texts(build.paper.table(name, label)),
        **way_of(build, [file]),
    }


def _label_of(table: str) -> str:
    return f"tab:{table.replace('/', ':')}"


def _results_file(build: Build, name: str) -> Facts:
    file = build.results(name)
    there = (build.root / file).is_file()
    return {
        "file": file,
        "rows": len(build.rows(file)) if there else None,
        "macros": _macros_of(build, [file]),
        **way_of(build, [file]),
    }


def _row(build: Build, name: str) -> Facts:
    head, colon, inner = name.partition(".json:")
    row_id = inner if colon else name
    found = (
        [(f"{build.out.results.as_posix()}/{head}.json", 0)] if colon else build.files_with(name)
    )
    file = found[0][0]
    rows = _rows_of(build, file, row_id)
    if not rows:
        raise InputError(f"{file} has no row {shown(row_id)}")
    return {
        "value": rows[0]["columns"].get("value"),
        "row": rows[0],
        "rows": len(rows),
        "files": [{"file": path, "rows": count} for path, count in found],
        "macros": _macros_of(build, [file], row_id),
        **_row_way(build, file, rows[0], row_id),
    }


def _theorem(build: Build, name: str) -> Facts:
    file = build.results("theory/theorems.json")
    checks = [row for row in _rows_of(build, file) if row["columns"]["theorem"] == name]
    facts: Facts = {
        "number": build.numbering.number(name),
        "paper": _texts([build.paper.label(name), *build.paper.places(rf"ref\{{{name}\}}")]),
        "checks": len(checks),
        "hold": sum(row["columns"]["holds"] for row in checks),
    }
    if not checks:
        return facts | way_of(build, [file])
    return facts | _row_way(build, file, checks[0], checks[0]["columns"]["id"])


def _macros_of(build: Build, files: Sequence[str], row_id: str | None = None) -> list[str]:
    """The macros that are read from some results files, or from the rows of an id."""
    found = []
    for file in _names_of(build, files):
        for name, place in declarations.macros_of(build.root, file).items():
            if row_id is None or declarations.read_macro(build.root, place).id == row_id:
                found.append(f"\\{name}")
    return found


def _rows_of(build: Build, file: str, row_id: str | None = None) -> list[Facts]:
    """The rows of a results file, or those of an id, if it is there: [{place, columns}]."""
    rows = build.rows(file) if (build.root / file).is_file() else []
    return [
        _row_facts(row, build.row_place(file, position))
        for position, row in enumerate(rows)
        if row_id is None or row.get("id") == row_id
    ]


def _texts(places: Sequence[Place | None]) -> list[str]:
    return [str(place) for place in dict.fromkeys(places) if place is not None]


_KINDS: Mapping[str, Callable[[Build, str], Facts]] = {
    "macro": _macro,
    "claim": _claim,
    "experiment": _experiment,
    "study": _study,
    "figure": _figure,
    "table": _table,
    "theorem": _theorem,
    "results file": _results_file,
    "row": _row,
}
