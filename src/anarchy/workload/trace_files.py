"""Where traces lie and how they get there.

A trace is somebody else's data, so it is never part of the project: it is looked up, downloaded
when it is absent, and checked against its sha256 whenever it is used.
"""

import hashlib
import http.client
import os
import threading
import time
import urllib.error
import urllib.request
from functools import cache
from pathlib import Path

from anarchy.common.errors import InputError, suggest
from anarchy.common.files import atomic
from anarchy.common.paths import TRACE_CACHE
from anarchy.config.settings import TraceSource, TraceSources
from anarchy.workload.traces import count_rows, load_trace, read_bytes

PROBE_SECONDS = 3.0

DOWNLOAD_SECONDS, MOST_BYTES = 600.0, 2**30
"""A download that takes longer or has more bytes is given up."""


class TraceUnavailable(InputError):
    """A registered trace is at none of its places and cannot be downloaded."""


def is_path(trace: str) -> bool:
    """Whether a scenario's `trace` is the path of a file rather than a registered name."""
    return any(mark in trace for mark in ("/", os.sep, "."))


def find_trace(trace: str, sources: TraceSources, root: Path = Path()) -> Path:
    """The file of a trace: ANARCHY_TRACE_DIR first, then data/traces below `root`.

    A registered trace that is in neither place gets the path at which `fetch_trace` would put
    it. Raises InputError for an unknown name and for an explicit path without a file.
    """
    if is_path(trace):
        path = root / trace
        if not path.is_file():
            raise InputError(f"{path}: no such trace file; {_registered(sources)}")
        return path
    if trace not in sources.traces:
        raise InputError(f"unknown trace '{trace}'; {suggest(trace, sources.traces)}")
    places = _places(sources.traces[trace], root)
    return next((path for path in places if path.is_file()), places[-1])


def check_trace(trace: str, sources: TraceSources, root: Path = Path()) -> int | None:
    """Refuse a trace that a job would refuse: absent, altered or broken.

    Returns the number of its requests, None if it has yet to be downloaded.
    Raises TraceUnavailable for a registered trace that is at none of its places while its server
    does not answer, and InputError for everything else. The server is asked once per process.
    """
    path = find_trace(trace, sources, root)
    if is_path(trace):
        return len(load_trace(path))
    source = sources.traces[trace]
    if path.is_file():
        return count_rows(read_bytes(path, source.sha256), source.format)
    if not available(source, root):
        places = " nor ".join(str(place.parent) for place in _places(source, root))
        raise TraceUnavailable(
            f"trace '{trace}': {source.file} is not in {places}, and its server cannot be reached"
        )
    return None


def available(source: TraceSource, root: Path = Path()) -> bool:
    """Whether a registered trace is at hand, or else could be downloaded."""
    return any(path.is_file() for path in _places(source, root)) or _reachable(source.url)


def fetch_trace(
    source: TraceSource, folder: Path, url: str | None = None, timeout: float = 30.0
) -> Path:
    """Download a trace into `folder` and check it; on any failure nothing is left there.

    `timeout` bounds every wait for the server, in seconds. Raises TraceUnavailable when the
    server does not deliver the whole file in time, InputError when it delivers another one.
    """
    url = url or source.url
    target = folder / source.file
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response, atomic(target) as part:
            length = response.headers.get("Content-Length")
            digest = hashlib.sha256()
            received, deadline = 0, time.monotonic() + DOWNLOAD_SECONDS
            with part.open("wb") as file:
                while chunk := response.read1(1 << 16):  # what is there, be it little
                    file.write(chunk)
                    digest.update(chunk)
                    received += len(chunk)
                    if received > MOST_BYTES or time.monotonic() > deadline:
                        raise TraceUnavailable(
                            f"{target}: the download from {url} is given up after {received} "
                            f"bytes; allowed are {MOST_BYTES} within {DOWNLOAD_SECONDS:.0f} s"
                        )
            if length is not None and received != int(length):
                raise TraceUnavailable(
                    f"{target}: the download from {url} ended after {received} of {length} bytes"
                )
            if (got := digest.hexdigest()) != source.sha256:
                raise InputError(
                    f"{target}: {url} delivers another file: its sha256 is {got[:12]}..., "
                    f"expected {source.sha256[:12]}...; nothing is kept"
                )
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        code = f"{error.code} " if isinstance(error, urllib.error.HTTPError) else ""
        raise TraceUnavailable(
            f"{target}: cannot be downloaded from {url}: {code}{reason}"
        ) from None
    return target


def _places(source: TraceSource, root: Path) -> list[Path]:
    given = os.environ.get("ANARCHY_TRACE_DIR")
    folders = [Path(given)] if given else []
    return [folder / source.file for folder in [*folders, root / TRACE_CACHE]]


def _registered(sources: TraceSources) -> str:
    return f"registered traces: {', '.join(sorted(sources.traces))}"


@cache
def _reachable(url: str) -> bool:
    """Whether the server offers the file; decided within PROBE_SECONDS, name look-up included."""
    answered = threading.Event()

    def probe() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            with urllib.request.urlopen(request, timeout=PROBE_SECONDS):
                answered.set()
        except (OSError, http.client.HTTPException, ValueError):
            return  # no answer, or no address

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return answered.is_set()
