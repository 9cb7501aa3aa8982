"""The build in an RO-Crate, as the profile Provenance Run Crate has it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rocrate.model import ContextEntity

from anarchy.artefact.provenance.job_logs import Job
from anarchy.artefact.provenance.record import Provenance, span

_RULE = re.compile(r"^rule (\w+):(.*?)(?=^rule |\Z)", re.MULTILINE | re.DOTALL)

_SCRIPT = re.compile(r"^    script:\s+\"\.\./(scripts/\w+\.py)\"", re.MULTILINE)

Named = Mapping[str, Any]
"""The entities of files by path."""


def rule_scripts(root: Path, names: Iterable[str]) -> dict[str, str]:
    """The script of each rule, by the text of the rules among some files."""
    texts = [(root / name).read_text("utf-8") for name in names if name.endswith(".smk")]
    found = [(rule, _SCRIPT.search(body)) for text in texts for rule, body in _RULE.findall(text)]
    return {rule: f"workflow/{script[1]}" for rule, script in sorted(found) if script}


def add_run(
    crate: Any,
    named: Named,
    provenance: Provenance,
    workflow: Any,
    scripts: Mapping[str, str],
    reads: Mapping[str, Sequence[str]],
) -> None:
    """Add the build as an action of the workflow, and its jobs as those of the workflow's steps."""
    ran = {entry.rule: scripts[entry.rule] for entry in provenance.rules if entry.rule in scripts}
    steps = _add_steps(crate, named, workflow, ran)
    begin, end = map(moment, span(provenance.jobs))
    times = {"startTime": begin, "endTime": end}
    run = crate.add_action(
        workflow,
        "#run",
        object=[named[name] for name in provenance.inputs if name in named],
        result=[named[name] for name in provenance.outputs if name in named],
        properties={
            "@type": "CreateAction",
            "name": f"Build of commit {provenance.commit.id}",
            "description": f"All jobs of the workflow, with seed {provenance.seed}",
            **times,
        },
    )
    jobs = [job for job in provenance.jobs if job.rule in steps]
    actions = [
        _add_job(crate, named, job, named[ran[job.rule]], reads.get(job.name, ())) for job in jobs
    ]
    organized = crate.add_action(
        _add_engine(crate, provenance),
        "#organization",
        object=[
            _add_control(crate, job, steps[job.rule], action)
            for job, action in zip(jobs, actions, strict=True)
        ],
        result=run,
        properties={"@type": "OrganizeAction", "name": "The workflow, by Snakemake", **times},
    )
    for action in (run, organized, *actions):
        action["agent"] = crate.root_dataset["author"]
    crate.root_dataset["mentions"] = [run, organized, *actions]


def _add_engine(crate: Any, provenance: Provenance) -> Any:
    properties = {
        "@type": "SoftwareApplication",
        "name": "Snakemake",
        "softwareVersion": provenance.packages.get("snakemake", "unknown"),
        "url": "https://snakemake.readthedocs.io",
    }
    return crate.add(ContextEntity(crate, "#engine", properties))


def _add_steps(crate: Any, named: Named, workflow: Any, ran: Mapping[str, str]) -> dict[str, Any]:
    """The rules that ran, each with the script that does its work."""
    steps = {}
    for position, (rule, script) in enumerate(sorted(ran.items())):
        properties = {"@type": "HowToStep", "name": rule, "position": str(position)}
        steps[rule] = crate.add(ContextEntity(crate, f"{workflow.id}#{rule}", properties))
        steps[rule]["workExample"] = named[script]
    workflow["step"] = list(steps.values())
    workflow["hasPart"] = [named[script] for script in sorted(set(ran.values()))]
    for script in workflow["hasPart"]:
        script["version"] = workflow["version"]
    return steps


def _add_job(crate: Any, named: Named, job: Job, script: Any, reads: Sequence[str]) -> Any:
    """What one job made of what with which script, and when."""
    return crate.add_action(
        script,
        f"#job/{job.name}",
        object=one_or_all([named[name] for name in reads if name in named]),
        result=one_or_all([named[name] for name in job.made if name in named]),
        properties={
            "@type": "CreateAction",
            "name": job.name,
            "description": f"A job of the rule {job.rule}: {job.cpu_s} s of CPU, "
            f"{job.peak_mib:.0f} MiB at most",
            "startTime": moment(job.started),
            "endTime": moment(job.started + job.wall_s),
        },
    )


def _add_control(crate: Any, job: Job, step: Any, action: Any) -> Any:
    """That the engine had this job do this step."""
    properties = {"@type": "ControlAction", "name": f"Start of {job.name}"}
    control = crate.add(ContextEntity(crate, f"#control/{job.name}", properties))
    control["instrument"], control["object"] = step, action
    return control


def one_or_all(entities: Sequence[Any]) -> Any:
    """A single entity as itself, as the specification recommends, several as a list."""
    return entities[0] if len(entities) == 1 else entities


def moment(seconds: float) -> str:
    """Seconds since 1970 as a date and time."""
    return datetime.fromtimestamp(round(seconds), UTC).isoformat()
