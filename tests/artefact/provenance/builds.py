"""A small project with a finished build, for tests of its record and of its deposit."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

from anarchy.artefact.provenance.checks import faults
from anarchy.artefact.provenance.job_logs import Job, read_jobs
from anarchy.artefact.provenance.page import page
from anarchy.artefact.provenance.record import LOCK, Provenance, record, write_record
from anarchy.common import paths
from anarchy.config.settings import load_settings

LOGS = Path("results/machine/logs")

MADE = ["results/a.json", "results/logs", "figures/a.png"]

READS = {"simulate/0": ["config/config.yaml"], "plot": ["results/a.json", "no/more"]}

RULES = """\
rule simulate:
    output:
        "results/a.json",
    script:
        "../scripts/simulate.py"


rule plot:
    output:
        "figures/a.png",
    script:
        "../scripts/plot.py"
"""

SOURCES = {
    "config/config.yaml": (paths.ROOT / paths.SETTINGS).read_text(encoding="utf-8"),
    "src/a.py": "a = 1\n",
    LOCK: "",
    "Snakefile": 'include: "workflow/rules/a.smk"\n',
    "workflow/rules/a.smk": RULES,
    "workflow/scripts/simulate.py": "simulate\n",
    "workflow/scripts/plot.py": "plot\n",
}


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def write_log(
    root: Path, name: str, *made: str, started: float = 100.0, wall: float = 2.0, cpu: float = 1.5
) -> None:
    line = {"started": started, "wall_s": wall, "cpu_s": cpu, "peak_mib": 80.0, "made": list(made)}
    write(root, f"{LOGS}/{name}.log", f"a message\n{json.dumps(line)}\n")


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def project(root: Path) -> Path:
    """Some sources, a lock, three outputs (one of them a folder of two files) of two jobs."""
    for name, text in SOURCES.items():
        write(root, name, text)
    write(root, "results/a.json", "[]\n")
    write(root, "results/logs/0/x.parquet", "x")
    write(root, "results/logs/1/y.parquet", "y")
    write(root, "figures/a.png", "png")
    write_log(root, "simulate/0", "results/a.json", "results/logs", wall=3.0)
    write_log(root, "plot", "figures/a.png", started=102.0, wall=4.0)
    return root


def recorded(root: Path, *more: Job) -> Provenance:
    """The record of that build, as the rule makes it."""
    return record(
        root,
        overlay="config/quick.yaml",
        settings=load_settings(paths.ROOT / paths.SETTINGS, paths.ROOT / "config/quick.yaml"),
        inputs=[Path(name) for name in SOURCES],
        made=MADE,
        jobs=[*read_jobs(root / LOGS), *more],
    )


def git(folder: Path, *arguments: str) -> str:
    """What git says in a folder, whoever runs it."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def checkout(root: Path) -> Path:
    """The same project under version control, with the record of its build where it belongs."""
    project(root)
    for name in ("CITATION.cff", "COMMIT", ".gitattributes"):
        shutil.copy(paths.ROOT / name, root)
    write(root, "reproduce", "#!/bin/sh\n").chmod(0o755)
    write(root, ".gitignore", "results\nfigures\n")
    git(root, "init")
    git(root, "add", ".")
    git(root, "commit", "-m", "one")
    save_record(root)
    return root


def save_record(root: Path) -> None:
    """Record the build where it lies now."""
    found = recorded(root)
    assert faults(found, root) == []
    write(root, "results/machine/jobs.json", "[]\n")
    write_record(root / "results/machine/provenance.json", found)
    write(root, "results/machine/provenance.html", page(found))
