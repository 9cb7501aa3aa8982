"""What is read of a server's API and of a page of metrics, and all that may be wrong with them."""

import json
import math
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from anarchy.common.errors import InputError
from anarchy.control import prometheus
from anarchy.control.prometheus import (
    TTFT,
    AmbiguousError,
    Reading,
    Source,
    UnreadableError,
    make_source,
)
from tests.control.canned import Canned, canned_server

COUNTS = {0.1: 3.0, 1.0: 8.0, math.inf: 10.0}
NOW = float(round(time.time()))
"""The moment at which the server of these tests answers, by its own clock."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Canned]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with canned_server() as canned:
        canned.date = NOW
        yield canned


def le(edge: float) -> str:
    return "+Inf" if edge == math.inf else f"{edge:g}"


def page(counts: dict[float, Any] = COUNTS, labels: str = 'model="m"', stamp: str = "") -> str:
    """A page of metrics with the histogram between others."""
    buckets = "\n".join(
        f'{TTFT}_bucket{{{labels},le="{le(edge)}"}} {count}{stamp}'
        for edge, count in counts.items()
    )
    return (
        "# HELP other_total Something\n# TYPE other_total counter\nother_total 3\n"
        f"# TYPE {TTFT} histogram\n{buckets}\n{TTFT}_sum{{{labels}}} 4.5\n"
    )


def api(*histograms: dict[float, Any], age: float = 0.0, **labels: str) -> str:
    """An answer of the API: histograms with labels `instance` a, b, ..., sampled twice."""
    now = NOW - age
    series = [
        {
            "metric": {"__name__": f"{TTFT}_bucket", "instance": name, "le": le(edge)},
            "values": [[now - 5.0, "0"], [now, str(count)]],
        }
        for name, counts in zip("abc", histograms, strict=False)
        for edge, count in counts.items()
    ]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": series}})


def source(url: str, metric: str = TTFT, max_age: float = 30.0, **labels: str) -> Source:
    return make_source(url, metric, labels, max_age)


def read(url: str, **options: Any) -> list[Reading]:
    return source(url, **options).read(after=-math.inf)


def counts_of(reading: Reading) -> dict[float, float]:
    return dict(zip(reading.histogram.edges, reading.histogram.counts, strict=True))


def refused(url: str, **options: Any) -> str:
    """The one line with which there is no reading."""
    with pytest.raises(UnreadableError) as caught:
        read(url, **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


# ---------------------------------------------------------------- what can be read


def test_a_page_is_read_now(server: Canned) -> None:
    server.body = page()
    before = time.time()
    (reading,) = read(f"{server.url}/metrics")
    assert before <= reading.time <= time.time()
    assert counts_of(reading) == COUNTS
    assert server.asked == ["/metrics"]


def test_a_page_may_say_when_it_was_sampled(server: Canned) -> None:
    moment = NOW - 10.25
    server.body = page(stamp=f" {moment * 1000:.0f}")
    (reading,) = read(f"{server.url}/metrics")
    assert reading.time == moment


def test_a_server_gives_all_that_it_has_kept(server: Canned) -> None:
    server.body = api(COUNTS, age=7.0)
    earlier, last = read(server.url, model='a"b\\')
    assert (earlier.time, last.time) == (NOW - 12.0, NOW - 7.0)
    assert counts_of(earlier) == dict.fromkeys(COUNTS, 0.0)
    assert counts_of(last) == COUNTS
    assert source(server.url).read(after=NOW - 12.0) == [last]
    assert source(server.url).read(after=NOW - 7.0) == []
    assert server.asked[0].startswith("/api/v1/query?query=")
    query = server.asked[0].partition("=")[2]
    assert query == f"{TTFT}_bucket%7Bmodel%3D%22a%5C%22b%5C%5C%22%7D%5B300s%5D"


@pytest.mark.parametrize("ending", ["", "/", "/api/v1/query"])
def test_a_server_may_be_named_in_any_way(server: Canned, ending: str) -> None:
    server.body = api(COUNTS)
    assert counts_of(read(f"{server.url}/prefix{ending}")[-1]) == COUNTS
    assert server.asked[0].startswith("/prefix/api/v1/query?")


def test_labels_choose_a_histogram_of_a_page(server: Canned) -> None:
    server.body = page(labels='model="a"') + page({**COUNTS, math.inf: 99.0}, labels='model="b"')
    (reading,) = read(f"{server.url}/metrics", model="b")
    assert reading.histogram.counts[-1] == 99.0


def test_a_series_that_has_ended_is_not_a_second_one(server: Canned) -> None:
    """A replaced pod leaves samples behind for as long as a server looks back."""
    old, new = (json.loads(api(COUNTS, age=age)) for age in (100.0, 1.0))
    for series in old["data"]["result"]:
        series["metric"]["instance"] = "gone"
    new["data"]["result"] += old["data"]["result"]
    server.body = json.dumps(new)
    assert counts_of(read(server.url)[-1]) == COUNTS


# ---------------------------------------------------------------- what cannot


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert refused(f"http://127.0.0.1:{port}") == (
        f"http://127.0.0.1:{port}: cannot be reached: [Errno 111] Connection refused"
    )


@pytest.mark.parametrize("trouble", [{"pause": 1.0}, {"drip": 0.05}])
def test_an_answer_that_takes_too_long(
    server: Canned, trouble: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it comes late or byte by byte."""
    monkeypatch.setattr(prometheus, "PATIENCE", 0.2)
    server.body = page()
    server.pause, server.drip = trouble.get("pause", 0.0), trouble.get("drip", 0.0)
    assert refused(server.url) == f"{server.url}: no answer within 0.2 s"


def test_an_endless_answer(server: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MOST_BYTES", 100)
    server.body = page()
    assert "longer than 100 bytes" in refused(f"{server.url}/metrics")


def test_a_status_that_is_no_success(server: Canned) -> None:
    server.status, server.body = 503, "not\nready"
    assert refused(server.url) == f"{server.url}: HTTP status 503: 'not\\nready'"


@pytest.mark.parametrize(
    "body",
    ["", "{", "null", "[]", '{"status": "success"}', '{"data": {"result": [[1, 2]]}}', "<html>"],
)
def test_json_that_is_no_answer(server: Canned, body: str) -> None:
    server.body = body
    assert "no answer of Prometheus' HTTP API" in refused(server.url)


def test_a_page_where_a_server_was_promised(server: Canned) -> None:
    server.body = page()
    assert refused(server.url).endswith("the address of a page of metrics ends in /metrics")


def test_a_metric_that_is_not_there(server: Canned) -> None:
    server.body = api()
    assert refused(server.url) == f"{server.url}: {TTFT}: there is none"
    assert refused(server.url, model="x").endswith(f'{TTFT}{{model="x"}}: there is none')
    server.body = page()
    address = f"{server.url}/metrics"
    assert f"did you mean '{TTFT}'?" in refused(address, metric=TTFT.replace("token", "tokn"))
    server.body = "nothing"
    assert refused(address).endswith("it has no histograms")


def test_a_page_that_is_broken_off(server: Canned) -> None:
    server.body = page().partition(" 8.0")[0]
    assert "is not in the text format" in refused(f"{server.url}/metrics")


def test_a_histogram_that_exists_twice(server: Canned) -> None:
    server.body = api(COUNTS, COUNTS)
    with pytest.raises(AmbiguousError, match="exists 2 times") as caught:
        read(server.url)
    assert str(caught.value).endswith(
        "choose one with --label instance=a or with --label instance=b"
    )


@pytest.mark.parametrize("age", [31.0, 200.0])
def test_samples_that_are_too_old(server: Canned, age: float) -> None:
    server.body = api(COUNTS, age=age)
    assert refused(server.url).endswith(f"the last sample is {age:.0f} s old; allowed: 30 s")


def test_age_is_by_the_clock_of_the_server(server: Canned) -> None:
    server.body = api(COUNTS, age=1000.0)
    server.date = NOW - 1000.0
    assert counts_of(read(server.url)[-1]) == COUNTS


@pytest.mark.parametrize(
    ("counts", "fault"),
    [
        ({**COUNTS, 1.0: "NaN"}, "a bucket is not a number (NaN)"),
        ({**COUNTS, 1.0: "x"}, None),
        ({0.1: 3, 1.0: 8}, 'the bucket le="+Inf" is missing'),
        ({**COUNTS, 1.0: 2.0}, "the buckets do not grow with their edges"),
        ({**COUNTS, 0.1: -1.0}, "the buckets do not grow with their edges"),
    ],
)
def test_buckets_that_are_no_histogram(
    server: Canned, counts: dict[float, Any], fault: str | None
) -> None:
    server.body = page(counts)
    assert (fault or "is not in the text format") in refused(f"{server.url}/metrics")
    server.body = api(counts)
    assert (fault or "a bucket is not a number (NaN)") in refused(server.url)


def test_a_bucket_without_an_edge(server: Canned) -> None:
    server.body = f'{TTFT}_bucket{{model="m"}} 3\n'
    assert "a bucket is not a number" in refused(f"{server.url}/metrics")


# ---------------------------------------------------------------- what nobody can ask


@pytest.mark.parametrize(
    "url", ["", "prometheus:9090", "file:///etc/passwd", "http://", "ftp://host", "http:///metrics"]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(InputError, match="is no address; allowed: http://HOST:PORT"):
        source(url)


@pytest.mark.parametrize("url", ["http://host/metrics?a=b", "http://me:secret@host/"])
def test_addresses_with_more_than_an_address(url: str) -> None:
    with pytest.raises(InputError, match="neither a query nor a password"):
        source(url)


def test_names_that_are_none() -> None:
    with pytest.raises(InputError, match="'time to first' is no name of a metric"):
        source("http://host", metric="time to first")
    with pytest.raises(InputError, match="'le' is no label"):
        source("http://host", le="1")


def test_a_metric_may_be_named_by_its_buckets() -> None:
    assert source("http://host", metric=f"{TTFT}_bucket").metric == TTFT


def test_a_reading_is_of_edges_in_order(server: Canned) -> None:
    server.body = page(dict(reversed(COUNTS.items())))
    assert read(f"{server.url}/metrics")[0].histogram.edges == (0.1, 1.0, math.inf)
