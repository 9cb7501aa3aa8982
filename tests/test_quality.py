"""The tools that keep the code in shape find nothing to say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from anarchy.common import paths

BIN = Path(sys.executable).parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        command, cwd=paths.ROOT, env=variables, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", "."], id="ruff-check"),
        pytest.param(["ruff", "format", "--check", "."], id="ruff-format"),
        pytest.param(["mypy"], id="mypy"),
        pytest.param(["snakefmt", "--check", "Snakefile", "workflow"], id="snakefmt"),
        pytest.param(["python", "-m", "snakemake", "--lint"], id="snakemake-lint"),
        pytest.param(
            ["hadolint", "Dockerfile"],
            id="hadolint",
            marks=pytest.mark.skipif(
                not (BIN / "hadolint").exists(), reason="hadolint has no wheel for this platform"
            ),
        ),
    ],
)
def test_tool_is_content(command: list[str]) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
