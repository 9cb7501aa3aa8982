"""A real Prometheus server and a program that it scrapes, each a process on loopback."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from anarchy.common import paths
from anarchy.live.processes import free_port

SERVER = shutil.which("prometheus") or str(paths.ROOT / ".cache/prometheus/usr/bin/prometheus")

SCRAPES = 200
"""Milliseconds between two looks of the server at the program."""


class Exporter:
    """A program with a histogram of TTFT: see `exporter`."""

    def __init__(self, port: int) -> None:
        self.page = f"http://127.0.0.1:{port}/metrics"
        self._port = port
        self.start()

    def start(self) -> None:
        """Start it, with nothing observed."""
        program = Path(__file__).with_name("exporter.py")
        self._process = subprocess.Popen(
            [sys.executable, program, str(self._port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def observe(self, seconds: float, count: int, model: str = "m") -> None:
        """Observe one value so many times."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{model} {seconds} {count}\n")
        self._process.stdin.flush()
        self._answer()

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline()


class Prometheus:
    """A server that scrapes one program."""

    def __init__(self, url: str) -> None:
        self.url = url

    def wait_until(self, done: Callable[[], bool]) -> None:
        """Return as soon as it has scraped what it is to know."""
        deadline = time.monotonic() + 30.0
        while not done():
            assert time.monotonic() < deadline, "the server has not scraped it"
            time.sleep(SCRAPES / 4000)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, Exporter]]:
    """A server and the program that it scrapes."""
    if not Path(SERVER).is_file():
        pytest.skip("no Prometheus server here; `./reproduce test` fetches one, as root on Debian")
    folder = tmp_path_factory.mktemp("prometheus")
    exporter = Exporter(free_port())
    port = free_port()
    target = exporter.page.split("/")[2]
    (folder / "prometheus.yml").write_text(
        f"""global: {{scrape_interval: {SCRAPES}ms, scrape_timeout: {SCRAPES}ms}}
scrape_configs:
  - job_name: frontend
    static_configs: [{{targets: ["{target}"]}}]
""",
        encoding="utf-8",
    )
    with ExitStack() as ends:
        ends.callback(exporter.end)
        options = {
            "config.file": folder / "prometheus.yml",
            "storage.tsdb.path": folder / "data",
            "web.listen-address": f"127.0.0.1:{port}",
        }
        log = ends.enter_context((folder / "log").open("wb"))
        process = subprocess.Popen(
            [SERVER, *(f"--{name}={value}" for name, value in options.items())],
            stdout=log,
            stderr=log,
        )
        ends.callback(process.wait)
        ends.callback(process.kill)
        prometheus = Prometheus(f"http://127.0.0.1:{port}")
        prometheus.wait_until(lambda: _is_ready(prometheus.url))
        yield prometheus, exporter


def _is_ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/-/ready", timeout=1):
            return True
    except (URLError, OSError):
        return False
