"""A Snakemake logger that prints one line per finished step instead of a page per job.

Snakemake finds logger plugins by the module prefix ``snakemake_logger_plugin_``; the name "brief"
is what ``workflow/profiles/default/config.yaml`` asks for. Its own ``--quiet rules`` would be the
shorter way, but that also hides which job failed and the failed job's log. The complete log stays
in ``.snakemake/log``; a dry run is printed in full.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

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
    LogEvent.SHELLCMD,
    LogEvent.WORKFLOW_STARTED,
}


class LogHandler(LogHandlerBase):
    """Writes ``k of n steps (p%): rule wildcards`` to stderr; errors pass as they are."""

    def __post_init__(self) -> None:
        self._labels: dict[int, str] = {}
        self._finished = ""
        self._printed = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record if it tells the reader something new; called from one thread only."""
        text = self._line(record)
        if text and text != self._printed:
            print(text, file=sys.stderr, flush=True)
            self._printed = text

    def _line(self, record: logging.LogRecord) -> str:
        if self.common_settings.dryrun or self.common_settings.verbose:
            return self.format(record)
        fields = vars(record)
        event = fields.get("event")
        if event == LogEvent.JOB_INFO:
            self._labels[fields["jobid"]] = _label(fields)
        elif event == LogEvent.JOB_FINISHED:
            self._finished = self._labels.pop(fields["job_id"], "")
        elif event == LogEvent.RUN_INFO:
            return f"{fields['stats']['total']} steps to run"
        elif event == LogEvent.PROGRESS:
            done, total = fields["done"], fields["total"]
            percent = 100 * done // max(total, 1)
            return f"{done:>{len(str(total))}} of {total} steps ({percent:3d}%): {self._finished}"
        elif event not in _SILENT and not record.getMessage().startswith(_CHATTER):
            return self.format(record)
        return ""

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


def _label(fields: dict[str, Any]) -> str:
    """The rule's name and the values of its wildcards, e.g. ``simulate experiment=load cell=7``."""
    wildcards = fields["wildcards"].items() if fields["wildcards"] else ()
    return " ".join([fields["rule_name"], *(f"{key}={value}" for key, value in wildcards)])
