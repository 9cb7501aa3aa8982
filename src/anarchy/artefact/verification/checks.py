"""One check of a build: what was asked, what was found, and whether that holds."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from anarchy.common.files import Row

Verdict = Literal["holds", "fails", "not checked"]

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Check:
    """One line of a verification. `why` says what is wrong, or why it was not checked."""

    group: str
    name: str
    verdict: Verdict
    found: Value = None
    wanted: Value = None
    why: str = ""


def check(group: str, name: str, fault: str, found: Value = None, wanted: Value = None) -> Check:
    """A check that holds if there is no fault to name."""
    return Check(group, name, "fails" if fault else "holds", found, wanted, fault)


def skipped(group: str, name: str, why: str) -> Check:
    """A check that could not be made, and why."""
    return Check(group, name, "not checked", why=why)


def failures(checks: Iterable[Check]) -> list[Check]:
    """Those that do not hold, in their order."""
    return [each for each in checks if each.verdict == "fails"]


def tally(checks: Iterable[Check]) -> dict[str, Counter[Verdict]]:
    """How many checks of each group have which verdict, the groups in their order."""
    groups: dict[str, Counter[Verdict]] = {}
    for each in checks:
        groups.setdefault(each.group, Counter())[each.verdict] += 1
    return groups


def check_rows(checks: Iterable[Check]) -> list[Row]:
    """The checks as rows of a results file."""
    return [{"id": f"{each.group}: {each.name}", **asdict(each)} for each in checks]
