"""Builds on clusters: on Slurm to the same bytes, killed and resumed too; what the profiles say."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from anarchy.common import paths
from tests.test_reproduce import function
from tests.workflow.conftest import contents, copy_project, environment, targets
from tests.workflow.pods import api_server
from tests.workflow.slurm import MISSING, Cluster, cluster, wait_until

PROFILES = paths.ROOT / "workflow/profiles"

BUILD = os.environ.get("NIGHTLY_BUILD", "quick")
"""What is built on the cluster and beside it."""

HOSTILE = "a b & touch PWNED; (c) * ü"
"""A folder whose path a shell would carry out."""


def profile(name: str) -> dict[str, object]:
    loaded: dict[str, object] = yaml.safe_load((PROFILES / name / "config.yaml").read_text("utf-8"))
    return loaded


def command(name: str | None, build: str) -> list[str]:
    """Snakemake as `PROFILE=name ./reproduce` calls it, with what makes a test faster."""
    profiles = ["default", "cluster", name] if name else ["default"]
    said = [sys.executable, "-m", "snakemake", "--workflow-profile", "none", "--nolock", *targets()]
    for part in profiles:
        said += ["--profile", f"workflow/profiles/{part}"]
    said += ["--cores", "2"]
    if name == "slurm":
        said += ["--seconds-between-status-checks", "1"]
        said += ["--slurm-group-init-seconds-before-status-checks", "1"]
    overlay = [] if build == "full" else ["--config", f"overlay=config/{build}.yaml"]
    return [*said, *overlay]


def products(project: Path, build: str) -> dict[str, bytes]:
    """What equal builds agree on to the byte."""
    files = contents(project / ("." if build == "full" else f"build/{build}"))
    made = ("results/", "figures/", "paper/")
    unequal = ("results/machine/", "paper/main.log")
    return {k: v for k, v in files.items() if k.startswith(made) and not k.startswith(unequal)}


# ---------------------------------------------------------------- what the profiles say


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_nothing_is_configured_twice(name: str) -> None:
    shared, own, default = profile("cluster"), profile(name), profile("default")
    assert not shared.keys() & own.keys()
    assert not default.keys() & own.keys()
    assert shared.keys() & default.keys() <= {"cores", "latency-wait"}


def test_rules_that_are_grouped_exist_and_run_on_the_nodes() -> None:
    text = "".join(file.read_text("utf-8") for file in (paths.ROOT / "workflow/rules").iterdir())
    rules = set(re.findall(r"^rule (\w+):", text, re.MULTILINE))
    snakefile = (paths.ROOT / "Snakefile").read_text("utf-8")
    (listed,) = re.findall(r"^DISTRIBUTED = \((.*?)\)", snakefile, re.MULTILINE | re.DOTALL)
    prefixes = tuple(re.findall(r"\w+", listed))
    distributed = {rule for rule in rules if rule.startswith(prefixes)}
    grouped = profile("cluster")["groups"]
    assert isinstance(grouped, dict)
    assert grouped.keys() <= distributed
    assert {"validate", "check_theorems", "compare_silicon"} <= distributed
    assert {"typeset_paper", "fetch_trace", "write_numbers"} <= rules - distributed


def test_jobs_of_a_stopped_run_are_known_by_the_name_that_the_profile_gives_them() -> None:
    prefix = profile("slurm")["slurm-group-jobname-prefix"]
    assert f"case $name in {prefix}_*)" in function("empty_queue")


def test_pods_have_what_the_build_fixes() -> None:
    """Slurm passes the whole environment on, Kubernetes what its profile lists."""
    script = (paths.ROOT / "reproduce").read_text("utf-8")
    fixed = {
        name
        for line in re.findall(r"^ *export (.*)", script, re.MULTILINE)
        for name in re.findall(r"(\w+)=", line)
    }
    passed = profile("kubernetes")["envvars"]
    assert isinstance(passed, list)
    assert len(fixed) > 10
    assert set(passed) == fixed - {"PYTHONPATH", "PIP_USER"}


# ---------------------------------------------------------------- Slurm


def plugin(name: str, folder: Path) -> Path:
    """The folder with Snakemake's plugin for a cluster, as its lock has it."""
    installed = subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes",
         "--target", str(folder), "-r", str(paths.ROOT / f"requirements-{name}.lock")],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if installed.returncode != 0:
        pytest.skip(f"Snakemake's plugin for {name} could not be installed")
    return folder


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plugin("slurm", tmp_path_factory.mktemp("plugins"))


@pytest.fixture(scope="module")
def slurm(plugins: Path) -> Iterator[Cluster]:
    if MISSING:
        pytest.skip(f"no {', '.join(MISSING)}: ./reproduce nightly fetches Slurm as root, with apt")
    with cluster() as running:
        yield running


def on_slurm(slurm: Cluster, plugins: Path, project: Path) -> dict[str, str]:
    """The variables of a build in the copy that gives its jobs to the cluster."""
    folders = [str(project / "src"), str(plugins), str(PROFILES / "slurm")]
    return environment(project, PATH=slurm.environment["PATH"], PYTHONPATH=os.pathsep.join(folders))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A copy in which the same has been built without a cluster."""
    if BUILD == "tiny":
        finished: Path = request.getfixturevalue("built")
        return finished
    project = copy_project(tmp_path_factory.mktemp("alone") / "project")
    done = subprocess.run(
        command(None, BUILD),
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return project


@pytest.mark.nightly
def test_slurm_builds_the_same_bytes(
    slurm: Cluster, plugins: Path, alone: Path, tmp_path: Path
) -> None:
    """In a folder whose path a shell would carry out, beside a build without a cluster."""
    project = copy_project(tmp_path / HOSTILE)
    done = subprocess.run(
        command("slurm", BUILD),
        cwd=project,
        env=on_slurm(slurm, plugins, project),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    submitted = done.stderr.count("has been submitted with SLURM jobid")
    assert 5 < submitted < 100, "some jobs run on the cluster, and not each for itself"
    ours, theirs = products(project, BUILD), products(alone, BUILD)
    assert sorted(ours) == sorted(theirs)
    assert [name for name in theirs if ours[name] != theirs[name]] == []
    assert not list(tmp_path.rglob("PWNED"))
    assert not slurm.queue()


@pytest.mark.nightly
def test_a_killed_build_is_resumed_once_its_jobs_have_ended(
    slurm: Cluster, plugins: Path, built: Path, tmp_path: Path
) -> None:
    """Its jobs outlive the run that waits for them; `./reproduce` ends them before the next."""
    project = copy_project(tmp_path / "project")
    variables = on_slurm(slurm, plugins, project)
    started = subprocess.Popen(
        command("slurm", "tiny"),
        cwd=project,
        env=variables,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_until(lambda: any("RUNNING" in job for job in slurm.queue()), "no job has started")
    os.killpg(started.pid, signal.SIGKILL)
    started.wait()
    assert slurm.queue(), "the jobs go on"
    emptied = subprocess.run(
        ["bash", "-euc", f"say() {{ echo $*; }}\n{function('empty_queue')}\nempty_queue"],
        cwd=project,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (emptied.returncode, emptied.stderr) == (0, "")
    assert emptied.stdout.startswith("ending what a stopped run has left")
    assert not slurm.queue()
    done = subprocess.run(
        command("slurm", "tiny"),
        cwd=project,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    ours, theirs = products(project, "tiny"), products(built, "tiny")
    assert [name for name in theirs if ours.get(name) != theirs[name]] == []


# ---------------------------------------------------------------- Kubernetes


@pytest.mark.nightly
def test_pods_that_share_a_volume_build_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """With a stand-in for the API server: pods are processes that begin in an empty folder."""
    project, empty = copy_project(tmp_path / HOSTILE), tmp_path / "empty"
    empty.mkdir()
    sources = str(project / "src")
    folders = [
        sources,
        str(plugin("kubernetes", tmp_path / "plugins")),
        str(PROFILES / "kubernetes"),
    ]
    variables = environment(project, PYTHONPATH=os.pathsep.join(folders))
    wanted = profile("kubernetes")["envvars"]
    assert isinstance(wanted, list)
    fixed = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "MPLBACKEND": "Agg", "MPLCONFIGDIR": str(project)}
    variables = dict.fromkeys(wanted, "1") | fixed | variables
    volume = ["--precommand", f"cd {shlex.quote(str(project))}", "--jobs", "2"]
    image = {"PYTHONPATH": sources}
    if "ANARCHY_TRACE_DIR" in os.environ:
        image["ANARCHY_TRACE_DIR"] = os.environ["ANARCHY_TRACE_DIR"]
    with api_server(empty, image) as (pods, known):
        done = subprocess.run(
            [*command("kubernetes", "tiny"), *volume, "--seconds-between-status-checks", "1"],
            cwd=project,
            env=variables | {"KUBECONFIG": str(known)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert 5 < len(pods.jobs) < 100
    for job in pods.jobs:
        pod = job["spec"]["template"]["spec"]
        assert "anarchy" in {volume["name"] for volume in pod["volumes"]}
        assert {"cpu", "memory"} <= pod["containers"][0]["resources"]["requests"].keys()
    ours, theirs = products(project, "tiny"), products(built, "tiny")
    assert [name for name in theirs if ours.get(name) != theirs[name]] == []
    assert not list(tmp_path.rglob("PWNED"))
