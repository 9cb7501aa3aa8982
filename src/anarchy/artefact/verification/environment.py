"""The Python and the packages at work held against the locks."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import distributions

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from anarchy.artefact.verification.checks import Check, check

GROUP = "environment"

BROUGHT = {"anarchy", "pip"}
"""In every environment without being locked: the project itself, and what installs the rest."""


def installed_packages() -> dict[str, str]:
    """The version of every package that Python finds, by its plain name."""
    return {_plain(d.metadata["Name"]): d.version for d in distributions()}


def locked_packages(lock: str) -> dict[str, str]:
    """The versions that a lock asks for on this platform, by plain name."""
    lines = [line.rstrip("\\ ") for line in lock.splitlines() if re.match(r"[\w.-]+==", line)]
    wanted = map(Requirement, lines)
    return {
        _plain(each.name): str(each.specifier).removeprefix("==")
        for each in wanted
        if each.marker is None or each.marker.evaluate()
    }


def check_environment(
    lock: str, optional: Iterable[str], installed: Mapping[str, str], python: str, supported: str
) -> list[Check]:
    """The Python in the supported range, every locked package in its version, and no other.

    `optional` are locks of packages that may be there, in their versions.
    """
    range_ = SpecifierSet(supported)
    fault = "" if python in range_ else "not a supported Python"
    checks = [check(GROUP, "python", fault, python, supported)]
    wanted = locked_packages(lock)
    allowed = wanted.copy()
    for other in optional:
        allowed |= locked_packages(other)
    for name in sorted({*wanted, *installed} - BROUGHT):
        version, right = installed.get(name), allowed.get(name)
        if right is None:
            fault = "installed, but in no lock"
        elif version is None:
            fault = "locked, but not installed"
        else:
            fault = "" if version == right else "another version than the locked one"
        checks.append(check(GROUP, name, fault, version, right))
    return checks


def _plain(name: str) -> str:
    """A package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
