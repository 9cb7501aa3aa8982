"""`anarchy control` against a page that is given: its lines, its exit codes and what it refuses."""

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from anarchy.cli.control import EXAMPLES, read_controller
from anarchy.cli.main import main
from anarchy.common import paths
from anarchy.common.errors import InputError
from tests.control.canned import Canned, canned_server
from tests.control.test_prometheus import COUNTS, page


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canned]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with canned_server() as canned:
        canned.body = page()
        yield canned


@pytest.fixture
def quick(tmp_path: Path) -> str:
    """A controller that does not wait."""
    file = tmp_path / "quick.yaml"
    file.write_text("{interval: 0.01, smoothing: 1, polls: 1, cooldown: 0}", encoding="utf-8")
    return str(file)


def refused(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """The one line with which the command says that it cannot be asked so."""
    assert main(["control", *options]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    return shown.err.strip().removeprefix("anarchy: ")


def test_lines_for_people(server: Canned, quick: str, capsys: pytest.CaptureFixture[str]) -> None:
    address = f"{server.url}/metrics"
    assert main(["control", "--prometheus", address, "--config", quick, "--polls", "2"]) == 1
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["time", "P99", "(s)", "average", "regime", "tau", "omega", "why"]
    assert first.split(maxsplit=6)[1:] == [
        *("-", "-", "below", "0", "1"),
        "the first reading: the window begins",
    ]
    assert second.endswith("no request in the window")


def test_lines_of_json(
    server: Canned, quick: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a page on which the tail grows between two polls."""
    override = tmp_path / "override.json"
    server.bodies = [page(), page({**COUNTS, math.inf: 111.0})]
    options = ["--prometheus", f"{server.url}/metrics", "--config", quick, "--once", "--json"]
    assert main(["control", *options, "--override", str(override)]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert server.asked == ["/metrics"] * 2
    assert (first["decided"], first["p99"], first["switched"]) == (False, None, False)
    assert (second["decided"], second["p99"], second["switched"]) == (True, 1.0, True)
    assert (second["regime"], second["router_temperature"]) == ("transition", 0.7)
    assert json.loads(override.read_text(encoding="utf-8"))["router_temperature"] == 0.7


def test_nothing_to_decide_upon_is_an_exit_code(
    server: Canned, quick: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.status = 500
    options = ["--prometheus", server.url, "--config", quick, "--once", "--json"]
    assert main(["control", *options]) == 1
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "HTTP status 500" in json.loads(shown.out)["reason"]


def test_what_cannot_be_asked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    url = ("--prometheus", "http://127.0.0.1:1")
    assert "--prometheus" in refused(capsys)
    for address in ("prometheus:9090", "", "ftp://a/b", "http://", "http://[", "http://a b/c"):
        assert "is no address" in refused(capsys, "--prometheus", address)
    for address in ("http://a:99999", "http://a:0", "http://a:b", "http://\x1b[2J", "http://a\nb"):
        assert "is no address" in refused(capsys, "--prometheus", address)
    assert "is not NAME=VALUE" in refused(capsys, *url, "--label", "model")
    assert refused(capsys, *url, "--polls", "0").startswith("--polls: 0 is not allowed")
    assert refused(capsys, *url, "--max-age", "nan").startswith("--max-age: nan is not allowed")
    assert "together with --polls" in refused(capsys, *url, "--once", "--polls", "3")
    config = tmp_path / "controller.yaml"
    for text, fault in {
        "{thresholds: {transition: 2, saturated: 1}}": "must be less than saturated",
        "{polls: 0}": "polls",
        "{interval: 0}": "interval",
        "{pols: 3}": "did you mean 'polls'?",
        "{thresholds: {unit: unloaded}}": "give --unloaded SECONDS",
        "[": "controller.yaml",
    }.items():
        config.write_text(text, encoding="utf-8")
        line = refused(capsys, *url, "--config", str(config))
        assert line.startswith(str(config))
        assert fault in line
    link = tmp_path / "link.yaml"
    link.symlink_to(config)
    line = refused(capsys, *url, "--config", str(config), "--override", str(link))
    assert line == f"--override: {link} is {config}, which is read; name another file"
    assert "none.yaml" in refused(capsys, *url, "--config", str(tmp_path / "none.yaml"))
    assert "the scenario has none" in refused(capsys, *url, "--config", "70b-1p2d")


def test_a_histogram_that_exists_twice_is_refused(
    server: Canned, capsys: pytest.CaptureFixture[str]
) -> None:
    server.body = page(labels='model="a"') + page(labels='model="b"')
    line = refused(capsys, "--prometheus", f"{server.url}/metrics", "--json")
    assert line.endswith("choose one with --label model=a or with --label model=b")


def test_a_scenario_brings_its_unloaded_ttft(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    base = paths.ROOT / paths.SCENARIOS / "70b-1p2d"
    file.write_text(
        f"extends: {base}\ncontroller: {{thresholds: {{unit: unloaded, transition: 5, "
        "saturated: 50}}\n",
        encoding="utf-8",
    )
    settings, unloaded = read_controller(str(file), None)
    assert settings.thresholds.saturated == 50
    assert unloaded == pytest.approx(0.016, abs=0.001)
    assert read_controller(str(file), 0.5)[1] == 0.5
    assert read_controller(None, None)[0].thresholds.unit == "seconds"


def test_the_published_controller_is_the_default() -> None:
    settings, _ = read_controller(None, None)
    assert (settings.interval, settings.polls) == (5.0, 3)


def test_ctrl_c_ends_it_clean(server: Canned) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "anarchy", "control", "--prometheus", f"{server.url}/metrics"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("time")
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, "anarchy: interrupted\n")


def test_help_has_an_example_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["control", "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    assert "anarchy control --prometheus http://prometheus:9090" in shown
    assert "130: Ctrl-C" in shown


def test_the_example_of_the_help_is_a_controller(tmp_path: Path) -> None:
    example = EXAMPLES.partition("docs/control.md:\n")[2].partition("Each poll")[0]
    (tmp_path / "mine.yaml").write_text(dedent(example), encoding="utf-8")
    settings, _ = read_controller(str(tmp_path / "mine.yaml"), 0.1)
    assert (settings.window, settings.thresholds.unit) == (60.0, "unloaded")
    with pytest.raises(InputError, match="give --unloaded"):
        read_controller(str(tmp_path / "mine.yaml"), None)
