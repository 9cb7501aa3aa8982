"""What every workflow script does around its work: messages into the log, faults in one line."""

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

from anarchy.common.errors import InputError


@contextmanager
def job_log(path: str) -> Iterator[None]:
    """Send everything printed within to the job's log.

    A fault ends there too, bad input as its one line and anything else with its traceback, and
    the job exits with code 2 or 1.
    """
    with Path(path).open("w", encoding="utf-8") as log:
        try:
            with redirect_stdout(log), redirect_stderr(log):
                yield
        except InputError as error:
            print(error, file=log)
            sys.exit(2)
        except Exception:
            traceback.print_exc(file=log)
            sys.exit(1)
