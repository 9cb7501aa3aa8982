"""What a change of a finished build does: experiments come and go, files or traces are missing."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from anarchy.common.files import read_rows
from tests.artefact.provenance.test_page import parsed
from tests.workflow.conftest import (
    OUT,
    contents,
    copy_built,
    has_tex,
    products,
    snakemake,
    targets,
)

HOSTILE = r"a $(touch PWNED) `touch PWNED` </script><b>&amp; $\x_{$ %s {x} ../x \input{/etc/passwd}"
"""What a shell, LaTeX, a browser, a figure or a path would read as more than a name."""

PLUGIN = "my_routers/it's $(touch PWNED) `touch PWNED`.py"

ROUTER = f'''
"""A user's own router: always the last worker."""

from anarchy.serving.reference.router.policy import Policy, register


@register({HOSTILE!r})
class LastWorker(Policy):
    def costs(self, view):
        return [float(-worker) for worker in range(len(view.active))]
'''

EXPERIMENT = {
    "title": f"A user's router & 100% of {HOSTILE}",
    "question": f"Does it appear?\n\n.. include:: /etc/passwd\n\n.. raw:: html\n\n {HOSTILE}",
    "scenarios": ["70b-1p2d"],
    "sweep": {"router.policy": ["kv", HOSTILE]},
    "replications": 2,
    "requests": 100,
    "measures": ["ttft-mean", "decode-imbalance"],
    "figure": {"kind": "bar", "x": "router.policy", "y": ["decode-imbalance"]},
    "table": {"measures": ["ttft-mean", "decode-imbalance"]},
    "plugins": [PLUGIN],
}

DEAD = "http://127.0.0.1:9"
"""Where nobody answers."""

DELETED = (
    "results/validation.json",
    "results/theory/curves/coupled.json",
    "results/experiments/concurrency.spread.json",
    "figures/windows.png",
    "paper/generated/tables/bounds.tex",
)


@pytest.fixture(scope="module")
def extended(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished build, built again with an experiment and a router more."""
    project = copy_built(built, tmp_path_factory.mktemp("extended") / "project")
    (project / "my_routers").mkdir()
    (project / PLUGIN).write_text(ROUTER)
    (project / "config/experiments/my-router.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    done = snakemake(project, *targets())
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return project


def test_an_experiment_is_one_file_and_a_router_one_class(built: Path, extended: Path) -> None:
    rows = read_rows(extended / OUT / "results/experiments/my-router.json")
    imbalance = {
        row["router.policy"]: row["value"] for row in rows if row["id"] == "decode-imbalance"
    }
    assert imbalance[HOSTILE] == 2.0, "all requests went to one of two workers"
    assert imbalance["kv"] < 1.1
    assert (extended / OUT / "figures/my-router.pdf").is_file()
    assert (extended / OUT / "paper/generated/tables/experiments/my-router.tex").is_file()
    if has_tex():
        outline = (extended / OUT / "results/machine/latex/main.aux").read_text()
        assert "A user" in outline
        log = (extended / OUT / "paper/main.log").read_text(errors="replace")
        assert "my-router.pdf" in log, "the figure is on a page of the appendix"
    ours = {k: v for k, v in contents(built).items() if not k.startswith((".", "build"))}
    assert {k: v for k, v in contents(extended).items() if k in ours} == ours


@pytest.fixture(scope="module")
def report(extended: Path) -> str:
    """Snakemake's report of that build, made where no network is."""
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), DEAD)
    reporter = ("--reporter", "inert", "--report-inert-path", "report.html")
    done = snakemake(extended, *targets(), *reporter, **proxies)
    assert done.returncode == 0, done.stderr[-3000:]
    return (extended / "report.html").read_text(encoding="utf-8")


def test_the_report_needs_no_network(report: str) -> None:
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']https?:", report)
    assert "Where does each topology saturate" in report
    assert "figures/concurrency.png" in report
    assert "The record of the build" in report


def test_what_a_user_calls_things_stays_text(extended: Path, report: str) -> None:
    """In shells, in paths, in LaTeX, in the record of the build and in Snakemake's report."""
    (results,) = re.findall(r'<script id="results">\s*var results = (.*?);\s*</script>', report)
    shown = json.loads(results)[f"{OUT}/figures/my-router.png"]
    title = shown["labels"]["title"].replace("\N{WORD JOINER}", "")
    assert title == EXPERIMENT["title"]
    caption = " ".join(parsed(shown["caption"]).text.split())
    question = " ".join(str(EXPERIMENT["question"]).split())
    assert caption.startswith(f"{question} {EXPERIMENT['title']}: all of it is config/")
    record = (extended / OUT / "results/machine/provenance.html").read_text(encoding="utf-8")
    assert PLUGIN in parsed(record).text
    texts = [report, record]
    if has_tex():
        texts.append((extended / OUT / "paper/main.log").read_text(errors="replace"))
    assert not [text for text in texts if "root:x:" in text]
    assert not list(extended.rglob("PWNED"))
    made = [path.name for path in (extended / OUT).rglob("*") if "touch" in path.name]
    assert made
    assert all(re.fullmatch(r"[\w.+=-]+", name) for name in made)


def test_what_was_deleted_comes_back_and_what_was_removed_goes(
    built: Path, extended: Path, tmp_path: Path
) -> None:
    """In the end all is as it was before the experiment came, but for a user's own files."""
    project = copy_built(extended, tmp_path / "changed")
    own = ("results/notes.txt", "figures/mine.png")
    for name in own:
        (project / OUT / name).write_text("a user's own\n")
    assert len([name for name in contents(project / OUT) if "my-router" in name]) > 8
    (project / "config/experiments/my-router.yaml").unlink()
    for name in DELETED:
        (project / OUT / name).unlink()
    done = snakemake(project, "no_pdf")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "removed what is no longer configured: " in done.stderr
    before, after = products(built), products(project)
    assert sorted(after) == sorted([*before, *own])
    different = [name for name in before if after[name] != before[name]]
    assert set(different) <= {"paper/main.pdf"}, "which is typeset no more"


def test_absent_traces_fall_back_on_reference_values(built: Path, tmp_path: Path) -> None:
    """Offline and without the traces the paper still has all its figures and numbers, marked."""
    project = copy_built(built, tmp_path / "offline")
    shutil.rmtree(project / OUT / "results/inputs", ignore_errors=True)
    for made_of_traces in [*(project / OUT).rglob("*-routing*")]:
        if made_of_traces.is_dir():
            shutil.rmtree(made_of_traces)
        else:
            made_of_traces.unlink(missing_ok=True)
    sources = yaml.safe_load((project / "config/traces.yaml").read_text())
    for source in sources["traces"].values():
        source["url"] = "http://127.0.0.1:9/absent"
    (project / "config/traces.yaml").write_text(yaml.safe_dump(sources))
    wanted = [
        f"{OUT}/paper/generated/numbers.tex",
        f"{OUT}/figures/mooncake-routing.pdf",
        f"{OUT}/paper/generated/tables/compare/mooncake-routing.tex",
    ]
    done = snakemake(project, *wanted, ANARCHY_TRACE_DIR=str(tmp_path / "nothing"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert not (project / OUT / "results/points/mooncake-routing").exists()
    assert r"\committed{" in (project / wanted[0]).read_text()
