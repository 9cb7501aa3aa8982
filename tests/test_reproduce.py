"""The cheap paths of ./reproduce, and its build logic against a stand-in for the environment.

The real set-up takes minutes; here `.venv/bin/python` is a short script that notes how it was
called, so that targets, options, the lock and the last line are tested in well under a second.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pip._vendor.distlib.scripts import ScriptMaker, enquote_executable

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "reproduce"

# Stands in for .venv/bin/python: passes questions about itself on to a real Python and otherwise
# does what the test has put into the file `job`.
PYTHON = """#!/usr/bin/env bash
case "$1 $2" in "-I -m") ;; -I*) exec {python} "$@" ;; esac
if [ "$2" = anarchy.serving.compiled ]; then echo >>compiled; exit "${{COMPILING:-0}}"; fi
printf '%s\\n' "$*" >>calls
if [ "$3" = verify ]; then exit "${{VERDICT:-0}}"; fi
if [ "$2" = anarchy ]; then printf '%s' "$FAULT" >&2; [ -z "$FAULT" ] || exit 2; exit 0; fi
. ./job
"""
TEX_TOOLS = ("latexmk", "pdflatex", "kpsewhich")
# What a shell would carry out if it read a path as a part of its text.
HOSTILE = """it's $(touch PWNED) `touch PWNED` "$HOME" \\ & ; * ü"""


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A folder with a hostile path that looks set up, with LaTeX at hand."""
    folder = tmp_path / "a b" / HOSTILE
    folder.mkdir(parents=True)
    shutil.copy(SCRIPT, folder)
    shutil.copy(ROOT / "pyproject.toml", folder)
    for lock in ROOT.glob("requirements*.lock"):
        shutil.copy(lock, folder)
    real = os.path.realpath(sys.executable)
    write_program(folder / ".venv/bin/python", PYTHON.format(python=f"'{real}'"))
    for tool in (*TEX_TOOLS, "prometheus", "slurmctld"):
        write_program(folder / "tools" / tool, "#!/usr/bin/env bash\n")
    build = 'mkdir -p paper; echo pdf >paper/main.pdf; printf "%s\\n" "$PAGES" >paper/main.log\n'
    (folder / "job").write_text(build, encoding="utf-8")
    (folder / ".venv/.stamp").write_text(stamp(folder, "venv_stamp"), encoding="utf-8")
    yield folder
    assert not list(tmp_path.rglob("PWNED")), "a part of the path was carried out"


def stamp(folder: Path, name: str) -> str:
    """What the script's function of this name says of an environment in the folder."""
    real = os.path.realpath(sys.executable)
    return subprocess.run(
        ["bash", "-c", f"{function(name)}\npython={real!r}\n{name}"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def function(name: str) -> str:
    """The text of one shell function of the script."""
    text = SCRIPT.read_text(encoding="utf-8")
    start = text.index(f"\n{name}() {{\n") + 1
    return text[start : text.index("\n}\n", start) + 3]


def without(project: Path, words: str) -> Path:
    """A Python that fails when it is asked to run a command with these words."""
    real = os.path.realpath(sys.executable)
    fake = project / "tools" / "less-python"
    answers = f"""#!/usr/bin/env bash
case "$*" in
    *realpath*) echo "$0" ;;
    *"{words}"*) exit 1 ;;
    *) exec '{real}' "$@" ;;
esac
"""
    write_program(fake, answers)
    return fake


def environment(project: Path) -> dict[str, str]:
    pages = "Output written on a/very/long/folder\n/main.pdf (14 pa\nges, 123456 bytes)."
    path = f"{project / 'tools'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PAGES": pages}


def run(
    project: Path, *arguments: str, script: Path | None = None, **options: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(script or project / "reproduce"), *arguments],
        cwd="/",
        env={**environment(project), **options},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def calls(project: Path) -> list[str]:
    return (project / "calls").read_text(encoding="utf-8").splitlines()


# ---------------------------------------------------------------- the text of the scripts


@pytest.mark.parametrize("name", ["reproduce", ".ci/run", "scripts/lock"])
def test_scripts_are_executable_valid_and_strict(name: str) -> None:
    path = ROOT / name
    assert os.access(path, os.X_OK)
    assert "\nset -euo pipefail\n" in path.read_text(encoding="utf-8")
    checked = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_continuous_integration_ends_with_the_tests() -> None:
    assert (ROOT / ".ci/run").read_text(encoding="utf-8").endswith("\nexec ./reproduce test\n")


def test_profile_keeps_errors_visible_and_restarts_what_was_cut_off() -> None:
    profile = yaml.safe_load((ROOT / "workflow/profiles/default/config.yaml").read_text("utf-8"))
    assert profile["cores"] == "all"
    assert profile["rerun-incomplete"] is True
    assert profile["show-failed-logs"] is True
    assert "quiet" not in profile  # --quiet rules would hide which job failed
    assert profile["logger"] == ["brief"]


# ---------------------------------------------------------------- arguments


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_every_target_with_its_time(option: str, project: Path) -> None:
    shown = run(project, option)
    assert (shown.returncode, shown.stderr) == (0, "")
    targets = (
        "all",
        "quick",
        "verify",
        "test",
        "nightly",
        "live",
        "report",
        "archive",
        "setup",
        "clean",
    )
    lines = shown.stdout.splitlines()[2:12]
    for target, line in zip(targets, lines, strict=True):
        assert target in line.split("  ")[1]
        assert re.search(r"  (~\d+ (s|min|h)|seconds)$", line), line
    assert "MB" in shown.stdout
    assert not (project / "calls").exists()


def test_unknown_target_is_refused_in_one_line(project: Path) -> None:
    refused = run(project, "qiuck")
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr == (
        "reproduce: unknown target 'qiuck'; allowed: all, quick, verify, test, nightly, live, "
        "report, archive, setup, clean\n"
    )
    assert not (project / "calls").exists()


@pytest.mark.parametrize("name", ["two\nlines", "a:b", "\x1b[2J", "a\u2028b", "ends\n"])
def test_folder_that_tools_cannot_name_is_refused_before_anything_is_installed(
    name: str, project: Path, tmp_path: Path
) -> None:
    folder = project.rename(tmp_path / name)
    refused = run(folder)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1
    assert "the folder's path may hold" in refused.stderr
    assert not (folder / "calls").exists()


def test_environment_that_is_a_link_is_refused_and_kept(project: Path, tmp_path: Path) -> None:
    theirs = (project / ".venv").rename(tmp_path / "theirs")
    (theirs / ".stamp").unlink()
    (project / ".venv").symlink_to(theirs)
    refused = run(project)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith("reproduce: .venv is a link")
    assert len(refused.stderr.splitlines()) == 1
    assert (theirs / "bin/python").exists()


@pytest.mark.parametrize("python", ["no-such-python", "/bin/false"])
def test_unusable_python_is_refused_in_one_line(python: str, project: Path) -> None:
    refused = run(project, PYTHON=python)
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "needs Python 3.11" in refused.stderr
    assert python in refused.stderr


# ---------------------------------------------------------------- verification

VERIFY = "-m anarchy verify --output build/verify --golden tests/golden/quick.json"
VERIFY += " --since build/verify/.begun --overlay config/quick.yaml"


def test_verify_builds_anew_in_its_own_folder_and_checks_that(project: Path) -> None:
    old, finished = project / "build/verify/old", project / "results/finished"
    for file in (old, finished):
        file.parent.mkdir(parents=True)
        file.touch()
    (project / "job").write_text("[ -f build/verify/.begun ]\n", encoding="utf-8")
    done = run(project, "verify", "--cores", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("verified in ")
    _, snakemake, verify = calls(project)
    wanted = " all --cores 1 --config overlay=config/quick.yaml output=build/verify"
    assert snakemake.endswith(wanted)
    assert verify == VERIFY
    assert not old.exists()
    assert finished.exists()


def test_verify_in_full_has_no_overlay_and_other_golden_values(project: Path) -> None:
    run(project, "verify", "--full", "--write-golden")
    check, snakemake, verify = calls(project)
    assert check == "-m anarchy check"
    assert snakemake.endswith(" all --config output=build/verify-full")
    assert "--output build/verify-full --golden tests/golden/full.json" in verify
    assert verify.endswith("build/verify-full/.begun --write-golden")


@pytest.mark.parametrize("code", ["0", "1", "2"])
def test_verify_ends_with_the_code_of_the_checks(code: str, project: Path) -> None:
    done = run(project, "verify", VERDICT=code)
    assert done.returncode == int(code)
    begun = project / "build/verify/.begun"
    assert begun.exists() == (code == "2"), "bad input is mended, and needs no new build"


def test_a_stopped_verification_goes_on_where_it_was(project: Path) -> None:
    (project / "job").write_text("touch build/verify/kept; exit 1\n", encoding="utf-8")
    assert run(project, "verify").returncode == 1
    assert VERIFY not in calls(project)
    (project / "job").write_text("[ -f build/verify/kept ]\n", encoding="utf-8")
    assert run(project, "verify").returncode == 0
    (project / "job").write_text("[ ! -f build/verify/kept ]\n", encoding="utf-8")
    assert run(project, "verify").returncode == 0, "a finished one is begun anew"


def test_verify_without_latex_says_so_to_the_checks(project: Path) -> None:
    (project / "job").write_text(":\n", encoding="utf-8")
    assert run(project, "verify", REPRODUCE_TEX="no").returncode == 0
    assert calls(project)[-1] == f"{VERIFY} --no-pdf"


def test_a_dry_verification_makes_and_checks_nothing(project: Path) -> None:
    (project / "job").write_text(":\n", encoding="utf-8")
    dry = run(project, "verify", "-n")
    assert (dry.returncode, dry.stdout) == (0, "")
    assert len(calls(project)) == 2
    assert not (project / "build").exists()


# ---------------------------------------------------------------- builds


def test_build_checks_the_input_then_runs_snakemake_and_names_the_pdf(project: Path) -> None:
    built = run(project)
    assert built.returncode == 0, built.stderr
    assert built.stdout.startswith("paper/main.pdf: 14 pages, built in ")
    check, snakemake = calls(project)
    assert check == "-m anarchy check"
    assert snakemake.startswith("-m snakemake --profile workflow/profiles/default ")
    assert snakemake.endswith(" --nolock all")


def test_build_through_links_from_elsewhere(project: Path, tmp_path: Path) -> None:
    (tmp_path / "first").symlink_to(project / "reproduce")
    (tmp_path / "links").mkdir()
    second = tmp_path / "links" / "second"
    second.symlink_to(Path("..") / "first")
    assert run(project, script=second).returncode == 0
    assert calls(project)[0] == "-m anarchy check"


def test_quick_builds_the_same_target_with_the_overlay(project: Path) -> None:
    job = "mkdir -p build/quick/paper; echo >build/quick/paper/main.pdf\n"
    (project / "job").write_text(job, encoding="utf-8")
    built = run(project, "quick", "--cores", "1")
    assert built.stdout.startswith("build/quick/paper/main.pdf: page count unknown, built in ")
    check, snakemake = calls(project)
    assert check == "-m anarchy check --overlay config/quick.yaml"
    assert snakemake.endswith(" all --cores 1 --config overlay=config/quick.yaml")


@pytest.mark.parametrize("quick", [False, True])
def test_report_and_archive_follow_the_build_that_they_are_of(quick: bool, project: Path) -> None:
    options = ["--quick"] if quick else []
    overlay, base = ("config/quick.yaml", "build/quick/") if quick else ("", "")
    reported = run(project, "report", *options)
    assert reported.returncode == 0, reported.stderr
    page = f"{base}results/machine/report.html"
    assert reported.stdout.endswith(f"{page}: open it in any browser\n")
    _, build, report = calls(project)
    ending = f" --config overlay={overlay}" if quick else ""
    assert build.endswith(f" --nolock all{ending}")
    assert report.endswith(f" --nolock all --reporter inert --report-inert-path {page}{ending}")
    assert run(project, "archive", *options, "--logs").returncode == 0
    assert calls(project)[-1] == f"-m anarchy archive {f'--overlay {overlay} ' * quick}--logs"


def test_options_that_the_report_does_not_have_are_refused(project: Path) -> None:
    refused = run(project, "report", "--logs")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "reproduce: report: unknown option '--logs'; allowed: --quick\n"


def test_the_simulator_is_compiled_before_the_jobs(project: Path) -> None:
    (project / "job").write_text("[ -f compiled ] || exit 9\n", encoding="utf-8")
    for target in ([], ["quick"], ["test"], ["setup"]):
        (project / "compiled").unlink(missing_ok=True)
        done = run(project, *target)
        assert done.returncode == 0, done.stderr
        assert (project / "compiled").exists()
    (project / "compiled").unlink()
    (project / "job").write_text(":\n", encoding="utf-8")
    run(project, "-n")
    assert not (project / "compiled").exists(), "a dry run computes nothing"


def test_a_simulator_that_is_not_compiled_beforehand_stops_nothing(project: Path) -> None:
    built = run(project, COMPILING="1")
    assert built.returncode == 0
    assert "could not be compiled beforehand" in built.stderr
    assert calls(project)[-1].startswith("-m snakemake ")


def test_second_run_says_that_nothing_is_to_be_done(project: Path) -> None:
    run(project)
    (project / "job").write_text(":\n", encoding="utf-8")
    assert ": 14 pages, nothing to be done, checked in " in run(project).stdout


def test_dry_run_claims_no_result(project: Path) -> None:
    (project / "job").write_text(":\n", encoding="utf-8")
    dry = run(project, "-n")
    assert (dry.returncode, dry.stdout) == (0, "")


def test_without_latex_everything_else_is_built(project: Path) -> None:
    (project / "job").write_text(":\n", encoding="utf-8")
    built = run(project, REPRODUCE_TEX="no")
    assert built.returncode == 0
    assert calls(project)[-1].endswith(" --nolock no_pdf")
    assert built.stdout.startswith("everything but paper/main.pdf (no LaTeX) is in results, ")


def test_environment_of_the_jobs_is_fixed(project: Path) -> None:
    (project / "job").write_text("env >jobs-environment\n", encoding="utf-8")
    run(project, "-n", LC_ALL="C", TZ="Asia/Tokyo", PYTHONPATH="/elsewhere", PYTHONHASHSEED="7")
    text = (project / "jobs-environment").read_text(encoding="utf-8")
    seen = dict(line.partition("=")[::2] for line in text.splitlines())
    assert seen["LC_ALL"] == "C.UTF-8"
    assert seen["TZ"] == "UTC"
    assert seen["PYTHONHASHSEED"] == "0"
    assert seen["OMP_NUM_THREADS"] == seen["OPENBLAS_NUM_THREADS"] == "1"
    assert seen["SOURCE_DATE_EPOCH"].isdigit()
    assert Path(seen["XDG_CACHE_HOME"]) == project / ".cache"
    assert Path(seen["MPLCONFIGDIR"]).parent == project / ".cache"
    assert "PYTHONPATH" not in seen


def test_bad_input_ends_with_its_own_code_before_any_job(project: Path) -> None:
    refused = run(project, FAULT="config.yaml: no key sead\n")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "config.yaml: no key sead\n"
    assert calls(project) == ["-m anarchy check"]


def test_failed_build_keeps_snakemakes_code(project: Path) -> None:
    (project / "job").write_text("exit 7\n", encoding="utf-8")
    failed = run(project)
    assert (failed.returncode, failed.stdout) == (7, "")
    assert failed.stderr.endswith("what was finished is kept\n")


def test_changed_lock_makes_the_environment_anew(project: Path) -> None:
    """The changed lock is seen, and a failed installation leaves no stamp that would hide it."""
    with (project / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    # A Python that answers questions but makes no .venv: the run must end there.
    failed = run(project, PYTHON=str(without(project, "-m venv")))
    assert failed.returncode == 1
    assert "installing the Python packages" in failed.stderr
    assert failed.stderr.endswith("cannot make .venv (see above)\n")
    assert not (project / ".venv/.stamp").exists()


def test_tests_get_the_options_and_the_last_word(project: Path) -> None:
    (project / "job").write_text("echo '== 3 passed =='; exit 5\n", encoding="utf-8")
    tested = run(project, "test", "-k", "a name")
    assert tested.returncode == 5
    assert tested.stdout.splitlines()[-1] == "== 3 passed =="
    assert calls(project)[-1].startswith("-m pytest ")
    assert calls(project)[-1].endswith(" -k a name")


def test_nightly_runs_what_takes_long_and_more_inputs(project: Path) -> None:
    (project / "job").write_text("exit 5\n", encoding="utf-8")
    assert run(project, "nightly", "-k", "a name").returncode == 5
    called = calls(project)[-1]
    assert called.startswith("-m pytest -n auto -p tests.nightly --hypothesis-profile nightly ")
    assert called.endswith(" -m nightly or hostile or random -k a name")


def test_the_oracle_is_installed_once_and_may_be_missing(project: Path) -> None:
    (project / "job").write_text('case "$*" in *pip*) exit 1 ;; esac\n', encoding="utf-8")
    failed = run(project, "test")
    assert failed.returncode == 0
    assert "tests against it are skipped" in failed.stderr
    (project / "job").write_text("", encoding="utf-8")
    assert run(project, "test").returncode == run(project, "test").returncode == 0
    installs = [call for call in calls(project) if "requirements-oracle.lock" in call]
    assert len(installs) == 2, "the one that failed and one that did not"
    run(project, "clean")
    assert run(project, "test", REPRODUCE_ORACLE="no").stderr == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root fetches packages")
@pytest.mark.skipif(bool(shutil.which("prometheus")), reason="a Prometheus server is installed")
def test_a_prometheus_server_is_unpacked_once_and_may_be_missing(project: Path) -> None:
    """It is not installed: that would start a service."""
    (project / "tools/prometheus").unlink()
    (project / "job").write_text("", encoding="utf-8")
    apt = '#!/usr/bin/env bash\necho "$*" >>"${0%/*}/apt"; [ "$1" = update ] || >prometheus_1.deb\n'
    unpack = '#!/usr/bin/env bash\n[ -e "$2" ] && mkdir -p usr/bin && cp "$0" usr/bin/prometheus\n'
    write_program(project / "tools/apt-get", apt)
    write_program(project / "tools/dpkg-deb", "#!/usr/bin/env bash\nexit 1\n")
    failed = run(project, "test", REPRODUCE_ORACLE="no")
    assert failed.returncode == 0
    assert "tests against it are skipped" in failed.stderr
    assert not (project / ".cache/prometheus").exists()
    write_program(project / "tools/dpkg-deb", unpack)
    assert "fetching the Prometheus server" in run(project, "test", REPRODUCE_ORACLE="no").stderr
    assert (project / ".cache/prometheus/usr/bin/prometheus").exists()
    assert run(project, "test", REPRODUCE_ORACLE="no").stderr == ""
    asked = (project / "tools/apt").read_text(encoding="utf-8").splitlines()
    assert asked == ["update", "download prometheus"] * 2


# ---------------------------------------------------------------- clusters


INSTALLING = """\
case "$*" in
    *" pip "*) for lock; do :; done; lock=${lock#*-}; mkdir -p ".venv/${lock%.lock}" ;;
    *) printf %s "${PYTHONPATH:-}" >path ;;
esac
"""


@pytest.fixture
def profiles(project: Path, tmp_path: Path) -> Path:
    """The project with its profiles and a pip that only makes the folder it is told to.

    It lies where jobs of a cluster may: a path with signs of the shell, but none of all.
    """
    shutil.copytree(ROOT / "workflow/profiles", project / "workflow/profiles")
    (project / "job").write_text(INSTALLING, encoding="utf-8")
    moved = project.rename(tmp_path / "a b & ; * ü")
    (moved / ".venv/.stamp").write_text(stamp(moved, "venv_stamp"), encoding="utf-8")
    return moved


@pytest.mark.parametrize("name", ["slurm", "kubernetes"])
def test_a_profile_lies_on_top_and_its_plugin_beside_the_packages(
    name: str, profiles: Path
) -> None:
    first, again = run(profiles, "-n", PROFILE=name), run(profiles, "-n", PROFILE=name)
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    assert "installing Snakemake's plugin for " + name in first.stderr
    assert again.stderr == ""
    installs = [call for call in calls(profiles) if " pip " in call]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert installs[0].endswith(f"--target .venv/{name} -r requirements-{name}.lock")
    layers = [f"--profile workflow/profiles/{layer} " for layer in ("default", "cluster", name)]
    assert f"-m snakemake {''.join(layers)}--workflow-profile none " in calls(profiles)[-1]
    folders = (profiles / "path").read_text("utf-8").split(os.pathsep)
    assert folders == [f"{profiles}/.venv/{name}", f"{profiles}/workflow/profiles/{name}"]


def test_a_profile_may_be_a_folder_of_ones_own(profiles: Path) -> None:
    (profiles / "my cluster").mkdir()
    (profiles / "my cluster/config.yaml").write_text("executor: htcondor\n", "utf-8")
    assert run(profiles, "-n", PROFILE="my cluster").stderr == ""
    assert "/cluster --profile my cluster --workflow-profile" in calls(profiles)[-1]
    assert (profiles / "path").read_text("utf-8") == ""


def test_an_unknown_profile_is_refused_in_one_line(profiles: Path) -> None:
    refused = run(profiles, "quick", PROFILE="slurn")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "reproduce: PROFILE=slurn is neither slurm nor kubernetes nor a folder with a config.yaml\n"
    )
    assert not (profiles / "calls").exists()


@pytest.mark.parametrize("sign", list("'\"`$\\%"))
def test_a_folder_that_jobs_of_a_cluster_cannot_name_is_refused(sign: str, profiles: Path) -> None:
    folder = profiles.rename(profiles.with_name(f"a{sign}b"))
    (folder / ".venv/.stamp").write_text(stamp(folder, "venv_stamp"), encoding="utf-8")
    refused = run(folder, PROFILE="slurm")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1
    assert "without quotes, $, \\ and % in its path" in refused.stderr
    assert not (folder / "calls").exists()


SQUEUE = """#!/usr/bin/env bash
[ ! -e "$QUEUED" ] || cat "$QUEUED"
"""
SCANCEL = """#!/usr/bin/env bash
printf '%s\n' "$*" >>ended
rm "$QUEUED"
"""


def test_what_a_killed_run_left_in_the_queue_of_a_cluster_is_ended(project: Path) -> None:
    """And nothing else: neither jobs of other folders nor others of this one."""
    queued = project / "queue"
    jobs = [f"1 anarchy_a {project}", f"2 bash {project}", f"3 anarchy_b {project}/other"]
    queued.write_text("\n".join([*jobs, f"4 anarchy_c {project}", ""]), "utf-8")
    write_program(project / "tools/squeue", SQUEUE)
    write_program(project / "tools/scancel", SCANCEL)
    built = run(project, QUEUED=str(queued))
    assert built.returncode == 0
    assert built.stderr == ("reproduce: ending what a stopped run has left in Slurm's queue: 1 4\n")
    assert (project / "ended").read_text("utf-8") == "1 4\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root fetches packages")
@pytest.mark.skipif(bool(shutil.which("slurmctld")), reason="Slurm is installed")
def test_slurm_is_unpacked_once_and_may_be_missing(project: Path) -> None:
    (project / "tools/slurmctld").unlink()
    (project / "job").write_text("", encoding="utf-8")
    apt = '#!/usr/bin/env bash\necho "$1" >>"${0%/*}/apt"; [ "$1" = update ] || touch a.deb b.deb\n'
    unpack = '#!/usr/bin/env bash\nmkdir -p usr/sbin && cp "$0" usr/sbin/slurmctld-wlm\n'
    write_program(project / "tools/apt-get", apt)
    write_program(project / "tools/dpkg-deb", "#!/usr/bin/env bash\nexit 1\n")
    failed = run(project, "nightly")
    assert failed.returncode == 0
    assert "tests on it are skipped" in failed.stderr
    assert not (project / ".cache/slurm").exists()
    assert run(project, "nightly", REPRODUCE_SLURM="no").stderr == ""
    write_program(project / "tools/dpkg-deb", unpack)
    assert "fetching Slurm" in run(project, "nightly").stderr
    assert run(project, "nightly").stderr == ""
    asked = (project / "tools/apt").read_text(encoding="utf-8").splitlines()
    assert asked == ["update", "download"] * 2


@pytest.fixture
def live(project: Path) -> Path:
    """The project with the environment of Dynamo v0.9.0, too, as it seems."""
    shutil.copytree(project / ".venv/bin", project / ".venv-live/bin")
    (project / ".venv-live/.stamp").write_text(stamp(project, "live_stamp"), encoding="utf-8")
    return project


def test_live_measures_with_its_own_environment(live: Path) -> None:
    (live / "job").write_text('echo "$PYTHONPATH" >seen; exit 3\n', encoding="utf-8")
    measured = run(live, "live", "--quick", "a b")
    assert (measured.returncode, measured.stderr) == (3, "")
    assert calls(live) == ["-m anarchy.live --quick a b"]
    assert (live / "seen").read_text(encoding="utf-8") == f"{live}/src\n"


def test_a_changed_live_lock_makes_the_environment_anew(live: Path) -> None:
    with (live / "requirements-live.lock").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    failed = run(live, "live", PYTHON=str(without(live, "-m venv")))
    assert failed.returncode == 1
    assert "installing Dynamo v0.9.0 of requirements-live.lock" in failed.stderr
    assert failed.stderr.endswith("cannot make .venv-live (see above)\n")
    assert not (live / ".venv-live/.stamp").exists()


def test_live_says_where_there_are_no_wheels(project: Path) -> None:
    refused = run(project, "live", PYTHON=str(without(project, "import platform")))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert len(refused.stderr.splitlines()) == 1
    assert "exists for Linux on x86_64 and aarch64 only, not for " in refused.stderr
    assert not (project / ".venv-live").exists()


def test_a_linked_live_environment_is_refused(live: Path) -> None:
    (live / ".venv-live").rename(live / "elsewhere")
    (live / ".venv-live").symlink_to("elsewhere")
    refused = run(live, "live")
    assert refused.returncode == 2
    assert ".venv-live is a link" in refused.stderr


def test_clean_keeps_sources_data_and_environment(project: Path) -> None:
    kept = ["paper/main.tex", "data/traces/a.jsonl", "figures/style.mplstyle", ".venv/.stamp"]
    kept += [".venv-live/.stamp"]
    gone = ["paper/main.pdf", "paper/generated/numbers.tex", "figures/a.pdf", "figures/a.png"]
    gone += [
        "src/anarchy/serving/compiled/__pycache__/0a/a.nbc",
        "results/a.json",
        "build/quick/results/a.json",
        ".snakemake/log/a",
        ".cache/a",
    ]
    for name in kept + gone:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    assert run(project, "clean").returncode == 0
    assert [name for name in kept if not (project / name).exists()] == []
    assert [name for name in gone if (project / name).exists()] == []


def test_scripts_of_the_environment_carry_out_no_part_of_their_path(
    project: Path, tmp_path: Path
) -> None:
    """What pip writes does, which the first run shows; what the set-up makes of it does not."""
    scripts = tmp_path / "scripts" / HOSTILE / ".venv/bin"
    scripts.mkdir(parents=True)
    (scripts / "python").symlink_to(os.path.realpath(sys.executable))
    (scripts / "activate").touch()
    maker = ScriptMaker(None, str(scripts))
    maker.executable = enquote_executable(str(scripts / "python"))
    maker.variants = {""}
    maker.make("tell = platform:python_version")

    def tell() -> tuple[str, bool]:
        """What the script says, and whether its path was carried out."""
        done = subprocess.run(
            [str(scripts / "tell")], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        pwned = (tmp_path / "PWNED").exists()
        (tmp_path / "PWNED").unlink(missing_ok=True)
        return done.stderr.strip(), pwned

    assert tell()[1]
    subprocess.run(
        ["bash", "-c", f"{function('mend_scripts')}\npython={sys.executable!r}\nmend_scripts"],
        cwd=scripts.parents[1],
        check=True,
    )
    assert tell() == (platform.python_version(), False)
    assert not (scripts / "activate").exists()


def test_latex_of_the_users_own_settings_does_not_count(project: Path) -> None:
    text = '#!/usr/bin/env bash\n[ -z "${TEXINPUTS+set}" ] && [ "$HOME" = /nonexistent ]\n'
    write_program(project / "tools/kpsewhich", text)
    built = run(project, TEXINPUTS="/elsewhere")
    assert (built.returncode, built.stderr) == (0, "")
    assert calls(project)[-1].endswith(" all")


def test_what_killed_runs_left_is_cleared(project: Path) -> None:
    cache = ".cache/snakemake/snakemake/source-cache/runtime-cache"
    left = [".cache/tmp/pip-install-x/a", ".snakemake/scripts/tmpx.a.py", f"{cache}/tmpx/a"]
    kept = [".snakemake/metadata/a", f"{cache}/a", ".snakemake/incomplete/a"]
    for name in left + kept:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    (project / "job").write_text('echo "$TMPDIR" >temporary; echo >"$TMPDIR/mine"\n')
    assert run(project, "-n").returncode == 0
    assert [name for name in left if (project / name).exists()] == []
    assert [name for name in kept if not (project / name).exists()] == []
    assert (project / "temporary").read_text() == f"{project}/.cache/tmp\n"


def test_a_full_disk_is_named_in_the_last_lines(project: Path) -> None:
    (project / "job").write_text("exit 1\n", encoding="utf-8")
    (project / "results").mkdir()
    (project / "results/.room").symlink_to("/dev/full")
    failed = run(project)
    assert failed.returncode == 1
    assert "reproduce: results takes no more files: the disk is full" in failed.stderr
    assert not list(project.rglob(".room"))
    assert "disk" not in run(project).stderr


# ---------------------------------------------------------------- one at a time, stopping, killing


def start(project: Path) -> subprocess.Popen[str]:
    """Start a build whose only job writes its process id to `running` and then sleeps."""
    (project / "job").write_text("echo $$ >pid; mv pid running; exec sleep 60\n", encoding="utf-8")
    process = subprocess.Popen(
        [str(project / "reproduce")],
        env=environment(project),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until((project / "running").exists)
    return process


def wait_until(condition: object, seconds: float = 20.0) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended but was not yet waited for does not."""
    if sys.platform == "linux":  # a minimal installation has no ps
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2]
        except (FileNotFoundError, ProcessLookupError):
            return False
    else:
        command = ["ps", "-o", "stat=", "-p", str(pid)]
        state = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return state.strip()[:1] not in ("", "Z", "X")


def test_second_run_at_the_same_time_is_refused(project: Path) -> None:
    first = start(project)
    try:
        refused = run(project)
        assert refused.returncode == 1
        assert refused.stderr.startswith("reproduce: another ./reproduce works in this folder")
        assert str(first.pid) in refused.stderr
    finally:
        first.terminate()
        first.communicate(timeout=20)


def test_stopped_run_says_how_to_go_on_and_leaves_nothing_running(project: Path) -> None:
    first = start(project)
    job = int((project / "running").read_text())
    first.send_signal(signal.SIGTERM)
    _, messages = first.communicate(timeout=20)
    assert first.returncode == 130
    assert messages.endswith("stopped; nothing is lost: the same command goes on from here\n")
    assert not alive(job)


def test_killed_run_needs_no_unlocking(project: Path) -> None:
    first = start(project)
    job = int((project / "running").read_text())
    first.kill()
    first.communicate(timeout=20)
    (project / "job").write_text(":\n", encoding="utf-8")
    again = run(project)
    assert again.returncode == 0, again.stderr
    assert not alive(job)


def test_lock_of_a_dead_owner_is_no_lock(project: Path) -> None:
    (project / ".reproduce.lock").write_text("999999999\n", encoding="utf-8")
    assert run(project).returncode == 0
    with (project / ".reproduce.lock").open("a", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
