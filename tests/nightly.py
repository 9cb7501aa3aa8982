"""The plugin of `./reproduce nightly`: a table of what was checked, how it went and how long.

Tests say their numbers with `record_property`; how many inputs one tried is counted here.
"""

import os
import platform
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from anarchy.artefact.provenance.commit import commit
from anarchy.common import paths
from anarchy.common.files import write_text
from tests import sandbox

TABLE = paths.ROOT / "results/machine/nightly.md"

HEAD = ["| Check | Outcome | Numbers | Seconds |", "| --- | --- | --- | --- |"]

_reports: list[pytest.TestReport] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Count the inputs of a test."""
    before = sandbox.runs
    try:
        return (yield)
    finally:
        if sandbox.runs > before:
            item.user_properties.append(("inputs", sandbox.runs - before))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep what a test came to: its end, or why it did not begin."""
    if report.when == "call" or report.outcome != "passed":
        _reports.append(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write the table, and say where."""
    rows = [_row(report) for report in sorted(_reports, key=lambda report: report.nodeid)]
    inputs = sum(dict(report.user_properties).get("inputs", 0) for report in _reports)
    kills = sum(dict(report.user_properties).get("kills", 0) for report in _reports)
    about = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {commit(paths.ROOT)}, "
    about += f"Python {platform.python_version()}, {os.cpu_count()} cores: "
    about += f"{inputs:,} inputs, {kills} kills"
    write_text(TABLE, "\n".join([about, "", *HEAD, *rows, ""]))
    terminalreporter.write_line(f"what was checked: {TABLE}")


def _row(report: pytest.TestReport) -> str:
    said = ", ".join(
        f"{name} {value}" if isinstance(value, str) else f"{value:,} {name}"
        for name, value in report.user_properties
    )
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        said = report.longrepr[2].removeprefix("Skipped: ")
    file, _, name = report.nodeid.partition("::")
    name = name.removeprefix("test_").replace("_", " ")
    return f"| {name} (`{file}`) | {report.outcome} | {said} | {report.duration:.0f} |"
