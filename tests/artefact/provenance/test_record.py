"""The record of a build: hashes, what jobs took, and sums over them."""

from pathlib import Path

import pytest

from anarchy.artefact.provenance.job_logs import Job
from anarchy.artefact.provenance.record import (
    digests,
    locked_versions,
    read_record,
    record,
    total,
    write_record,
)
from anarchy.common.errors import InputError
from tests.artefact.provenance.builds import project, recorded, sha, write, write_log


def job(started: float, wall: float, name: str = "plot/1") -> Job:
    return Job(
        name=name,
        rule=name.partition("/")[0],
        started=started,
        wall_s=wall,
        cpu_s=wall / 2,
        peak_mib=10 * wall,
        made=["results/a.json"],
    )


def test_inputs_and_outputs_have_their_hashes(tmp_path: Path) -> None:
    found = recorded(project(tmp_path))
    assert found.inputs["src/a.py"] == sha("a = 1\n")
    assert found.outputs == {
        "figures/a.png": sha("png"),
        "results/a.json": sha("[]\n"),
        "results/logs/0/x.parquet": sha("x"),
        "results/logs/1/y.parquet": sha("y"),
    }


def test_a_digest_is_that_of_what_sha256sum_prints() -> None:
    found = digests({"config/b": "2", "config/a": "1", "requirements.lock": "3", "src/a": "4"})
    assert found == {
        "code": sha("4  src/a\n"),
        "config": sha("1  config/a\n2  config/b\n"),
        "lock": sha("3  requirements.lock\n"),
    }


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = recorded(project(tmp_path))
    write_record(tmp_path / "provenance.json", found)
    assert read_record(tmp_path / "provenance.json") == found
    assert found.seed == found.settings.seed
    assert found.overlay == "config/quick.yaml"


def test_only_the_last_job_that_made_an_output_counts(tmp_path: Path) -> None:
    """A rule that is called otherwise now, or an output that is no more, leaves its log behind."""
    project(tmp_path)
    write_log(tmp_path, "simulate_once/0", "results/a.json", "results/logs", started=50.0)
    write_log(tmp_path, "gone", "results/gone.json")
    found = recorded(tmp_path)
    assert [job.name for job in found.jobs] == ["simulate/0", "plot"]


def test_a_trace_outside_the_project_is_called_as_inside(tmp_path: Path) -> None:
    outside = write(tmp_path, "elsewhere/trace.jsonl", "{}")
    root = project(tmp_path / "project")
    base = recorded(root)
    found = record(root, overlay=None, settings=base.settings, inputs=[outside], made=[], jobs=[])
    assert found.inputs == {"data/traces/trace.jsonl": sha("{}")}


def test_sums_over_the_jobs(tmp_path: Path) -> None:
    found = recorded(project(tmp_path))
    assert [(rule.rule, rule.jobs, rule.wall_s) for rule in found.rules] == [
        ("plot", 1, 4.0),
        ("simulate", 1, 3.0),
    ]
    assert (found.total.jobs, found.total.wall_s, found.total.cpu_s) == (2, 7.0, 3.0)
    assert found.total.busy_s == 6.0  # from 100 to 103 and from 102 to 106
    assert found.total.peak_mib == 80.0


def test_pauses_between_parts_of_a_build_are_not_busy() -> None:
    jobs = [job(0, 2, "a"), job(1, 0.5, "b"), job(10, 3, "c")]
    assert total(jobs).busy_s == 5.0
    assert total([]).busy_s == total([]).peak_mib == 0.0


def test_the_versions_of_a_lock() -> None:
    lock = "numpy==2.4.6 \\\n    --hash=sha256:ab\ncolorama==0.4 ; sys_platform == 'win32' \\\n"
    assert locked_versions(lock) == {"numpy": "2.4.6", "colorama": "0.4"}


@pytest.mark.parametrize("text", [None, "", "[]", "{}", "\ufeff{"])
def test_what_is_no_record_is_one_line(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "provenance.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"provenance\.json: "):
        read_record(path)
