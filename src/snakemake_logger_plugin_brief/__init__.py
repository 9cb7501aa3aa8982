"""A Snakemake logger that prints one line per finished step instead of a page per job.

Snakemake finds logger plugins by the module prefix ``snakemake_logger_plugin_``; the name "brief"
is what ``workflow/profiles/default/config.yaml`` asks for. Its own ``--quiet rules`` would be the
shorter way, but that also hides which job failed and the failed job's log. The complete log stays
in ``.snakemake/log``; a dry run is printed in full.
"""

from __future__ import annotations

import logging
import sys

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

# Messages about the scheduler's own work, which say nothing about the build.
_CHATTER = (
    "Assuming unrestricted shared filesystem usage",
    "Building DAG of jobs",
    "Complete log(s)",
    "Elapsed time",
    "Select jobs to execute",
    "Using shell",
)
_SILENT = {
    LogEvent.JOB_STARTED,
    LogEvent.RESOURCES_INFO,
    LogEvent.RUN_INFO,
    LogEvent.SHELLCMD,
    LogEvent.WORKFLOW_STARTED,
}


class LogHandler(LogHandlerBase):
    """Writes ``k of n steps (p%): rule, wildcards`` to stderr; warnings and errors pass as they are."""

    def __post_init__(self) -> None:
        self._labels: dict[int, str] = {}
        self._last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record if it tells the reader something; called from one thread only."""
        text = self._line(record)
        if text:
            print(text, file=sys.stderr, flush=True)

    def _line(self, record: logging.LogRecord) -> str:
        full = self.common_settings.dryrun or self.common_settings.verbose
        if full or record.levelno >= logging.WARNING:
            return self.format(record)
        event = getattr(record, "event", None)
        if event == LogEvent.JOB_INFO:
            self._labels[record.jobid] = _label(record)
            return ""
        if event == LogEvent.JOB_FINISHED:
            self._last = self._labels.pop(record.job_id, "")
            return ""
        if event == LogEvent.PROGRESS:
            total = max(record.total, 1)
            percent = 100 * record.done // total
            width = len(str(total))
            return f"{record.done:>{width}} of {total} steps ({percent:3d}%): {self._last}"
        if event in _SILENT or record.getMessage().startswith(_CHATTER):
            return ""
        return self.format(record)

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return False

    @property
    def has_formatter(self) -> bool:
        return False

    @property
    def needs_rulegraph(self) -> bool:
        return False


def _label(record: logging.LogRecord) -> str:
    """The rule's name and the values of its wildcards, e.g. ``simulate experiment=load cell=7``."""
    wildcards = dict(record.wildcards.items()) if record.wildcards else {}
    return " ".join([record.rule_name, *(f"{key}={value}" for key, value in wildcards.items())])
