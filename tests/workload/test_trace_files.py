"""Looking traces up, checking them and downloading them."""

import contextlib
import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.settings import TraceSource, TraceSources
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml
from anarchy.workload import trace_files
from anarchy.workload.trace_files import (
    TraceUnavailable,
    available,
    check_trace,
    fetch_trace,
    find_trace,
)
from anarchy.workload.traces import read_trace

CONTENT = b"TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10"


class Handler(BaseHTTPRequestHandler):
    """/good, /other (wrong content), /short (ends early), /stalls, /endless, /drips, else 404."""

    def do_HEAD(self):
        self.server.asked.append(self.path)
        self.send_response(200 if self.path in ("/good", "/other", "/short") else 404)
        self.end_headers()

    def do_GET(self):
        if self.path == "/stalls":
            self.server.stop.wait(10)
            return
        if self.path in ("/endless", "/drips"):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):  # the client has gone
                while not self.server.stop.wait(0.02 if self.path == "/drips" else 0):
                    self.wfile.write(b"1" if self.path == "/drips" else CONTENT * 100)
            return
        body = {"/good": CONTENT, "/other": b"an error page", "/short": CONTENT}.get(self.path)
        if body is None:
            self.send_error(404, "Not Found")
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if self.path == "/short" else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.asked, server.stop = [], threading.Event()
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.stop.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def closed_port():
    """An address that refuses connections."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture(autouse=True)
def no_trace_folder(monkeypatch):
    monkeypatch.delenv("ANARCHY_TRACE_DIR", raising=False)


def source(url):
    return TraceSource(
        file="code.csv",
        format="azure",
        url=url,
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        licence="CC-BY-4.0",
        citation="nobody",
    )


CLOSED = "http://127.0.0.1:9"


def sources(url=CLOSED):
    return TraceSources(traces={"azure-code": source(url)})


def put(folder, content=CONTENT, name="code.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return folder / name


# ----------------------------------------------------------------------------- finding


def test_the_environment_comes_before_the_projects_folder(tmp_path, monkeypatch):
    cached = put(tmp_path / "data" / "traces")
    assert find_trace("azure-code", sources(), tmp_path) == cached
    monkeypatch.setenv("ANARCHY_TRACE_DIR", str(tmp_path / "elsewhere"))
    assert find_trace("azure-code", sources(), tmp_path) == cached
    given = put(tmp_path / "elsewhere")
    assert find_trace("azure-code", sources(), tmp_path) == given


def test_an_absent_trace_gets_the_path_of_its_download(tmp_path, monkeypatch):
    monkeypatch.setenv("ANARCHY_TRACE_DIR", str(tmp_path))
    expected = tmp_path / "data" / "traces" / "code.csv"
    assert find_trace("azure-code", sources(), tmp_path) == expected


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(InputError, match=r"unknown trace 'azure-cod'; did you mean 'azure-code'"):
        find_trace("azure-cod", sources())


@pytest.mark.parametrize("trace", ["missing.csv", "folder/missing", "./azure-code"])
def test_an_explicit_path_must_exist(tmp_path, trace):
    with pytest.raises(InputError) as fault:
        find_trace(trace, sources(), tmp_path)
    assert str(fault.value).startswith(f"{tmp_path / trace}: no such trace file")


def test_an_explicit_path_may_be_relative_to_the_root_or_absolute(tmp_path):
    path = put(tmp_path / "mine")
    assert find_trace("mine/code.csv", sources(), tmp_path) == path
    assert find_trace(str(path), sources(), Path("/nowhere")) == path


# ---------------------------------------------------------------------------- checking


def test_a_trace_at_hand_needs_no_network(tmp_path, server):
    path = put(tmp_path / "data" / "traces")
    requests = check_trace("azure-code", sources(server.address + "/good"), tmp_path)
    assert requests == len(read_trace(path, "azure"))
    assert available(source(server.address + "/good"), tmp_path)
    assert server.asked == []


def test_an_altered_trace_is_refused(tmp_path):
    path = put(tmp_path / "data" / "traces", CONTENT + b"\r\n")
    with pytest.raises(InputError) as fault:
        check_trace("azure-code", sources(), tmp_path)
    got = hashlib.sha256(CONTENT + b"\r\n").hexdigest()[:12]
    expected = hashlib.sha256(CONTENT).hexdigest()[:12]
    assert str(fault.value).startswith(
        f"{path}: not the registered trace: its sha256 is {got}..., expected {expected}..."
    )
    assert not isinstance(fault.value, TraceUnavailable)


def test_a_broken_line_of_an_explicit_path_is_refused_before_any_job(tmp_path):
    path = put(tmp_path, CONTENT + b"\r\nnonsense", "mine.csv")
    with pytest.raises(InputError, match=rf"{path}:3: 1 columns, expected 3"):
        check_trace("mine.csv", sources(), tmp_path)


def test_an_absent_trace_that_can_be_downloaded_is_accepted(tmp_path, server):
    assert check_trace("azure-code", sources(server.address + "/good"), tmp_path) is None
    assert available(source(server.address + "/good"), tmp_path)
    assert server.asked == ["/good"]  # asked once, remembered
    assert list(tmp_path.iterdir()) == []


def test_offline_and_absent_is_said_in_one_line(tmp_path, closed_port, monkeypatch):
    monkeypatch.setenv("ANARCHY_TRACE_DIR", str(tmp_path / "given"))
    with pytest.raises(TraceUnavailable) as fault:
        check_trace("azure-code", sources(closed_port + "/x"), tmp_path)
    message = str(fault.value)
    assert message.startswith("trace 'azure-code': code.csv is not in ")
    assert str(tmp_path / "given") in message
    assert str(tmp_path / "data" / "traces") in message
    assert not available(source(closed_port + "/x"), tmp_path)


def test_a_server_without_the_file_does_not_count(tmp_path, server):
    assert not available(source(server.address + "/gone"), tmp_path)


def test_a_server_that_stalls_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(trace_files, "PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        end = threading.Timer(30, silent.close)
        end.start()
        assert not available(source(f"http://127.0.0.1:{silent.getsockname()[1]}/x"), tmp_path)
        assert end.is_alive(), "it is given up before the server ends"
        end.cancel()


def test_a_name_that_does_not_resolve_in_time_is_given_up(tmp_path, monkeypatch):
    release, answered = threading.Event(), threading.Event()

    def slow(*_, **__):
        release.wait(30)
        answered.set()
        return []

    monkeypatch.setattr(trace_files, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(socket, "getaddrinfo", slow)
    assert not available(source("http://slow.invalid/x"), tmp_path)
    assert not answered.is_set(), "it is given up before there is an answer"
    release.set()


# ------------------------------------------------------------------------- downloading


def test_a_download_is_checked_and_put_in_place(tmp_path, server):
    folder = tmp_path / "data" / "traces"
    path = fetch_trace(source("http://127.0.0.1:9"), folder, url=server.address + "/good")
    assert path == folder / "code.csv"
    assert path.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [path]
    check_trace("azure-code", sources(), tmp_path)


@pytest.mark.parametrize(
    ("page", "message"),
    [
        ("/gone", "404 Not Found"),
        ("/short", f"ended after {len(CONTENT) // 2} of {len(CONTENT)} bytes"),
        ("/stalls", "timed out"),
    ],
)
def test_a_failed_download_leaves_nothing(tmp_path, server, page, message):
    with pytest.raises(TraceUnavailable) as fault:
        fetch_trace(source(server.address + page), tmp_path, timeout=0.3)
    assert str(tmp_path / "code.csv") in str(fault.value)
    assert message in str(fault.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("page", "limit", "most"),
    [("/endless", "MOST_BYTES", 9999), ("/drips", "DOWNLOAD_SECONDS", 0.1)],
)
def test_a_download_without_end_is_given_up(tmp_path, server, monkeypatch, page, limit, most):
    monkeypatch.setattr(trace_files, limit, most)
    with pytest.raises(TraceUnavailable, match=r"is given up after [0-9]+ bytes; allowed are"):
        fetch_trace(source(server.address + page), tmp_path, timeout=5)
    assert list(tmp_path.iterdir()) == []


def test_another_file_than_the_registered_one_leaves_nothing(tmp_path, server):
    with pytest.raises(InputError, match="delivers another file") as fault:
        fetch_trace(source(server.address + "/other"), tmp_path)
    assert hashlib.sha256(b"an error page").hexdigest()[:12] in str(fault.value)
    assert hashlib.sha256(CONTENT).hexdigest()[:12] in str(fault.value)
    assert not isinstance(fault.value, TraceUnavailable)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_download_keeps_what_was_there(tmp_path, server):
    path = put(tmp_path, b"older")
    with pytest.raises(InputError):
        fetch_trace(source(server.address + "/other"), tmp_path)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("url", ["", "nonsense", "http://[", "http://"])
def test_an_address_that_is_none_is_refused(tmp_path, monkeypatch, url):
    with pytest.raises(TraceUnavailable, match="cannot be downloaded"):
        fetch_trace(source(CLOSED), tmp_path, url=url)
    hooked = []
    monkeypatch.setattr(threading, "excepthook", hooked.append)
    unchecked = source(CLOSED).model_copy(update={"url": url})
    assert not available(unchecked, tmp_path)
    assert not hooked, "the thread that asks the server dies of nothing"


def test_offline(tmp_path, closed_port):
    with pytest.raises(TraceUnavailable, match="cannot be downloaded"):
        fetch_trace(source(closed_port), tmp_path / "data")
    assert not (tmp_path / "data").exists()


# ------------------------------------------------------------------- the committed list


def test_the_registered_traces_are_pinned():
    path = paths.ROOT / paths.TRACES
    traces = validate(TraceSources, read_yaml(path), str(path)).traces
    assert set(traces) == {"azure-code", "mooncake-conversation"}
    for trace in traces.values():
        host, _, owner_repository_commit = trace.url.partition("raw.githubusercontent.com/")
        assert host == "https://"
        commit = owner_repository_commit.split("/")[2]
        assert len(commit) == 40
        assert int(commit, 16)  # a commit, no branch that moves
