"""The index of a build's jobs, read back."""

from pathlib import Path

import pytest

from anarchy.artefact.explanation.build import Build
from anarchy.artefact.explanation.jobs import read_jobs
from anarchy.common.errors import InputError
from tests.artefact.explanation.conftest import MEASURED, POINTS


def test_what_makes_a_file_and_all_that_is_before_it(build: Build) -> None:
    assert build.jobs is not None
    maker = build.jobs.maker(MEASURED)
    assert maker is not None
    assert (maker.rule, maker.wildcards, maker.inputs) == ("measure", ("sweep",), (POINTS,))
    assert maker.outputs[MEASURED] == "measures"
    assert build.jobs.maker("config/experiments/sweep.yaml") is None
    names = [job.name for job in build.jobs.upstream(["figures/sweep.png", "figures/sweep.pdf"])]
    assert names == ["draw/sweep", "measure/sweep", "simulate/sweep/0"]


@pytest.mark.parametrize("text", ["{", "[1]", '[{"id": "a"}]', '[{"id": "a", "role": "b"}]'])
def test_a_broken_index_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "jobs.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"jobs\.json: no index of jobs; delete it"):
        read_jobs(path)
