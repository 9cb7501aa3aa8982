"""The real Prometheus server: our quantiles are its quantiles, and a load step is a switch."""

import json
import math
import subprocess
import sys
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from anarchy.config.router import Controller
from anarchy.control.poller import ANEW, Poller
from anarchy.control.prometheus import (
    TTFT,
    AmbiguousError,
    Reading,
    Source,
    UnreadableError,
    make_source,
)
from tests.control.conftest import Exporter, Prometheus

Served = tuple[Prometheus, Exporter]


@pytest.fixture(autouse=True)
def direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def source(url: str, max_age: float = 30.0, **labels: str) -> Source:
    return make_source(url, TTFT, {"model": "m", **labels}, max_age)


def ask(url: str, query: str, time: float) -> float:
    """What the server itself answers to a query."""
    address = f"{url}/api/v1/query?{urlencode({'query': query, 'time': time})}"
    with urlopen(address) as answer:
        (series,) = json.load(answer)["data"]["result"]
    return float(series["value"][1])


def settle(served: Served) -> list[Reading]:
    """All readings, once the server has seen what the program shows."""
    prometheus, exporter = served
    (shown,) = source(exporter.page).read(-math.inf)
    found: list[Reading] = []

    def scraped() -> bool:
        try:
            found[:] = source(prometheus.url).read(-math.inf)
        except UnreadableError:
            return False
        return found[-1].histogram == shown.histogram

    prometheus.wait_until(scraped)
    return found


def test_quantiles_are_those_of_the_server_itself(server: Served) -> None:
    prometheus, exporter = server
    for seconds, count in ((0.05, 700), (0.3, 250), (0.9, 40), (3.0, 7)):
        exporter.observe(seconds, count)
    earlier = settle(server)[-1]
    for seconds, count in ((0.0, 5), (0.15, 60), (7.0, 30), (30.0, 2), (1000.0, 1)):
        exporter.observe(seconds, count)
    later = settle(server)[-1]
    increase = later.histogram.since(earlier.histogram)
    assert increase is not None
    buckets = f'{TTFT}_bucket{{model="m"}}'
    between = f"{buckets} @ {later.time} - {buckets} @ {earlier.time}"
    for level in (0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999):
        for histogram, inner in ((later.histogram, buckets), (increase, between)):
            theirs = ask(
                prometheus.url, f"histogram_quantile({level}, sum by (le) ({inner}))", later.time
            )
            assert histogram.quantile(level) == pytest.approx(theirs, rel=1e-12)


def test_a_load_step_is_a_switch_after_the_polls_that_must_agree(server: Served) -> None:
    prometheus, exporter = server
    settle(server)
    settings = Controller(window=1000.0, smoothing=1.0)
    poller = Poller(source(prometheus.url), settings, 0.0, None)
    switches = []
    for seconds in (*[0.05] * 4, *[3.0] * 5):
        exporter.observe(seconds, 5000)
        settle(server)
        decision = poller.poll().decision
        switches.append(decision.switched)
    assert decision.regime == "transition"
    assert decision.override.temperature == 0.7
    assert switches == [False] * 6 + [True] + [False] * 2


def test_two_models_are_not_one(server: Served) -> None:
    prometheus, exporter = server
    exporter.observe(0.1, 1, model="other")
    page = make_source(exporter.page, TTFT, {}, 30.0)
    with pytest.raises(AmbiguousError, match="--label model=m or with --label model=other"):
        page.read(-math.inf)
    exporter.observe(0.2, 1)
    settle(server)
    with pytest.raises(AmbiguousError, match=f"{prometheus.url}: {TTFT} exists 2 times"):
        make_source(prometheus.url, TTFT, {}, 30.0).read(-math.inf)


def test_a_restart_and_an_end_are_said_and_not_decided_upon(server: Served) -> None:
    prometheus, exporter = server
    exporter.observe(20.0, 100)
    settle(server)
    poller = Poller(source(prometheus.url, max_age=1.0), Controller(), 0.0, None)
    poller.poll()
    exporter.end()
    exporter.start()
    exporter.observe(0.01, 1)
    settle(server)
    anew = poller.poll()
    assert (anew.known, anew.decision.reason) == (False, ANEW)
    exporter.observe(0.01, 10)
    settle(server)
    assert poller.poll().known
    exporter.end()
    ended = poller.poll()
    prometheus.wait_until(lambda: "s old; allowed: 1 s" in poller.poll().decision.reason)
    exporter.start()
    assert not ended.decision.switched


def test_the_command_looks_once(server: Served) -> None:
    prometheus, exporter = server
    exporter.observe(0.3, 100)
    settle(server)
    exporter.observe(0.3, 100)
    settle(server)
    options = ["--prometheus", prometheus.url, "--label", "model=m", "--once", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "anarchy", "control", *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = map(json.loads, done.stdout.splitlines())
    assert line["decided"]
    assert 0.22 <= line["p99"] <= 0.47
    assert line["regime"] == "below"
