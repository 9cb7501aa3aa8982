"""The environment beside the locks: equal, or named package by package."""

import pytest

from anarchy.artefact.verification.checks import failures
from anarchy.artefact.verification.environment import (
    check_environment,
    installed_packages,
    locked_packages,
)
from anarchy.common.paths import ROOT

LOCK = """\
numpy==2.4.6 \\
    --hash=sha256:00
Typing_Extensions==4.1 ; sys_platform != 'nowhere' \\
    --hash=sha256:00
colorama==0.4.6 ; sys_platform == 'nowhere' \\
    --hash=sha256:00
"""
RIGHT = {"numpy": "2.4.6", "typing-extensions": "4.1", "pip": "24.0", "anarchy": "0.1.0"}


def faults(installed: dict[str, str], python: str = "3.11.7") -> dict[str, str]:
    checks = check_environment(LOCK, ["router==1.0 \\\n"], installed, python, ">=3.11,<3.15")
    return {each.name: each.why for each in failures(checks)}


def test_a_lock_is_read_with_its_markers() -> None:
    assert locked_packages(LOCK) == {"numpy": "2.4.6", "typing-extensions": "4.1"}


def test_the_locked_environment_holds_and_optional_packages_may_be_there() -> None:
    assert faults(RIGHT) == {}
    assert faults(RIGHT | {"router": "1.0"}) == {}


@pytest.mark.parametrize(
    ("change", "named", "why"),
    [
        pytest.param({"numpy": "2.4.5"}, "numpy", "another version", id="another-version"),
        pytest.param({"router": "1.1"}, "router", "another version", id="optional-one-too"),
        pytest.param({"sitecustom": "1"}, "sitecustom", "in no lock", id="one-too-many"),
    ],
)
def test_what_differs_is_named(change: dict[str, str], named: str, why: str) -> None:
    found = faults(RIGHT | change)
    assert [*found] == [named]
    assert why in found[named]


def test_a_missing_package_and_another_python_are_named() -> None:
    without = {name: version for name, version in RIGHT.items() if name != "numpy"}
    assert faults(without) == {"numpy": "locked, but not installed"}
    assert faults(RIGHT, "3.10.2") == {"python": "not a supported Python"}


def test_the_packages_at_work_are_found_by_their_plain_names() -> None:
    installed = installed_packages()
    locked = locked_packages((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert len(locked) > 80
    assert {"numpy", "typing-extensions", "anarchy"} <= installed.keys()
