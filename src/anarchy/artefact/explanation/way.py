"""The way of a file: the rule, script and functions that make it, and what it is made of."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from anarchy.artefact.explanation.build import MISSING, SAME, UNKNOWN, Build, Input
from anarchy.artefact.explanation.functions import Function, find_function, writers
from anarchy.artefact.explanation.jobs import Job
from anarchy.artefact.explanation.places import labels_in

Facts = dict[str, Any]
"""What is said of something: a JSON object whose keys are in the order of a number's way."""

SHORT = 12
"""Digits of a hash that a line shows."""

ABSENT = "left out of this build"
"""What is noted of a file that no job makes: an overlay can leave experiments out."""

MOST_LEAVES, MOST_FUNCTIONS = 6, 6
"""Files of one folder that a tree lists one by one; functions that are listed."""


def way_of(build: Build, targets: Sequence[str]) -> Facts:
    """How some files of a build come about.

    Facts {rule, script, functions, inputs, sources, seconds, tree, rebuild, notes}; without an
    index of the build only how to get them.
    """
    facts: Facts = {"rebuild": build.command(" ".join(targets)), "notes": []}
    if build.jobs is None:
        facts["notes"].append(f"no finished build: what it is made of is known after {build.whole}")
        return facts
    last = list({job.name: job for t in targets if (job := build.jobs.maker(t))}.values())
    jobs = build.jobs.upstream(targets)
    inputs, sources = build.inputs(jobs), build.sources(jobs)
    return {
        "rules": rules_of(build, targets),
        "functions": [described(f) for job in last for f in _functions(build, job, targets)],
        "inputs": [vars(entry) for entry in inputs],
        "sources": _summary(sources),
        "seconds": _seconds(build, last, jobs),
        "tree": _tree(build, targets, sources),
        "rebuild": facts["rebuild"],
        "notes": _notes(build, targets, [*inputs, *sources]),
    }


def described(function: Function) -> Facts:
    """A function with what its documentation says, and the labels of the paper named there."""
    return {
        "name": function.name,
        "place": str(function.place),
        "says": function.doc,
        "labels": labels_in(function.doc),
    }


def labelled(build: Build, labels: Iterable[str]) -> list[Facts]:
    """Where the paper has some labels, with the formula of an equation."""
    return [
        {"label": label, "place": str(place), "formula": build.paper.equation(label)}
        for label in dict.fromkeys(labels)
        if (place := build.paper.label(label)) is not None
    ]


def rules_of(build: Build, targets: Sequence[str]) -> list[Facts]:
    """The rules that make some files, with their scripts."""
    made = [] if build.jobs is None else [build.jobs.maker(target) for target in targets]
    places = {job.rule: (build.rule_place(job.rule), job.script) for job in made if job}
    return [
        {"rule": rule, "place": str(place) if place else None, "script": script}
        for rule, (place, script) in places.items()
    ]


def _functions(build: Build, job: Job, targets: Sequence[str]) -> list[Function]:
    """What in the package makes those of the targets that a job writes."""
    if job.script is None or not (build.root / job.script).is_file():
        return []
    names: dict[str, None] = {}
    for target in targets:
        if target in job.outputs:
            found = writers(build.root / job.script, job.outputs[target], job.wildcards)
            names |= dict.fromkeys(found)
    functions = [find_function(name, build.root) for name in names]
    return [function for function in functions if function is not None][:MOST_FUNCTIONS]


def _summary(sources: Sequence[Input]) -> Facts:
    """The scripts and modules together: one hash of all, and which changed."""
    listed = "".join(f"{entry.sha256}  {entry.path}\n" for entry in sources)
    changed = [entry.path for entry in sources if entry.state not in (SAME, UNKNOWN)]
    digest = hashlib.sha256(listed.encode()).hexdigest()
    return {"files": len(sources), "sha256": digest, "changed": changed}


def _seconds(build: Build, last: Sequence[Job], jobs: Sequence[Job]) -> Facts:
    """Processor time of the last jobs and of all, as far as known; null where none is."""
    known = {job.name: s for job in jobs if (s := build.seconds(job)) is not None}
    own = [known[job.name] for job in last if job.name in known]
    return {
        "own": round(sum(own), 2) if own else None,
        "all": round(sum(known.values()), 2) if known else None,
        "jobs": len(jobs),
        "timed": len(known),
    }


def _notes(build: Build, targets: Sequence[str], inputs: Sequence[Input]) -> list[str]:
    """What is not as it should be."""
    assert build.jobs is not None
    made = [target for target in targets if build.jobs.maker(target)]
    lost = [target for target in made if not (build.root / target).exists()]
    notes = [f"not there: {_listed(lost)}"] if lost else []
    if absent := [target for target in targets if target not in made]:
        notes.append(f"{ABSENT}: {_listed(absent)}")
    for state in dict.fromkeys(entry.state for entry in inputs):
        if state not in (SAME, UNKNOWN):
            paths = [entry.path for entry in inputs if entry.state == state]
            notes.append(f"{state}{' the build' if state != MISSING else ''}: {_listed(paths)}")
    return notes


def _listed(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def _tree(build: Build, targets: Sequence[str], sources: Sequence[Input]) -> list[Facts]:
    """The files with what each is made of, down to those that no job makes: [{says, parts}].

    Jobs of one rule stand together, and a file stands where it is used first.
    """
    tree = _parts(build, targets, set())
    if sources:
        package = _summary(sources)
        state = f"  {len(package['changed'])} changed or missing" if package["changed"] else ""
        says = f"{package['files']} scripts and modules  sha256 {package['sha256'][:SHORT]}{state}"
        tree.append({"says": says, "parts": []})
    return tree


def _parts(build: Build, paths: Sequence[str], seen: set[str]) -> list[Facts]:
    assert build.jobs is not None
    new = [path for path in dict.fromkeys(paths) if path not in seen]
    seen.update(new)
    made: dict[str, dict[str, Job]] = {}
    for path in new:
        if (job := build.jobs.maker(path)) is not None:
            made.setdefault(job.rule, {})[path] = job
    parts = _leaves(build, [path for path in new if build.jobs.maker(path) is None])
    for rule, makers in made.items():
        jobs = list({job.name: job for job in makers.values()}.values())
        inner = [path for job in jobs for path in (*job.configs, *job.inputs)]
        says = f"{_together(list(makers))}  ← {rule}{_cost(build, jobs)}"
        parts.append({"says": says, "parts": _parts(build, inner, seen)})
    return parts


def _cost(build: Build, jobs: Sequence[Job]) -> str:
    times = [s for job in jobs if (s := build.seconds(job)) is not None]
    count = f", {len(jobs)} jobs" if len(jobs) > 1 else ""
    return f"{count}, {sum(times):.1f} s" if times else count


def _together(files: Sequence[str]) -> str:
    """One file by its path, several by their folder."""
    return files[0] if len(files) == 1 else f"{len(files)} files of {os.path.commonpath(files)}/"


def _leaves(build: Build, paths: Sequence[str]) -> list[Facts]:
    """Files that no job makes, with their hashes; of many in one folder those that changed."""
    parts = []
    for folder, group in groupby(sorted(paths), os.path.dirname):
        entries = [build.input(path) for path in group]
        if len(entries) > MOST_LEAVES:
            parts.append({"says": f"{len(entries)} files of {folder}/", "parts": []})
            entries = [entry for entry in entries if entry.state not in (SAME, UNKNOWN)]
        parts += [{"says": _leaf(entry), "parts": []} for entry in entries]
    return parts


def _leaf(entry: Input) -> str:
    digest = f"  sha256 {entry.sha256[:SHORT]}" if entry.sha256 else ""
    state = "" if entry.state == SAME else f"  {entry.state}"
    return f"{entry.path}{digest}{state}"
