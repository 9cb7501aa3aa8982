"""Reads a histogram from a Prometheus server, or from the metrics page of a program itself.

Whatever keeps a reading from being what it should be is one line that says so, and no reading: who
does not know does not act. Source: the HTTP API and the text format of prometheus.io.
"""

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import BaseModel, ValidationError

from anarchy.common.errors import MOST_CHARACTERS, InputError, printable, shown, suggest

TTFT = "dynamo_frontend_time_to_first_token_seconds"
"""The histogram of times to first token on the metrics page of Dynamo's frontend."""

PATIENCE = 4.0
"""Seconds that an answer may take, all of it."""

MOST_BYTES = 32 * 2**20
"""Longest answer that is read."""

LOOK_BACK = 300.0
"""Seconds over which a server is asked for samples, so that one too old can be named."""

_METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class UnreadableError(Exception):
    """No reading this time: one line that says why."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, MOST_CHARACTERS))


class AmbiguousError(UnreadableError):
    """More than one histogram has the name, and nothing says which of them is meant."""


class Reading(NamedTuple):
    """A histogram at a moment: `counts[edge]` observations so far were at most `edge`.

    Edges ascend, and the last one is infinite. `time` is in seconds since the epoch, by the clock
    of whoever took the sample.
    """

    time: float
    counts: dict[float, float]


@dataclass(frozen=True)
class Source:
    """Where a histogram is read: `url` is that of a server, or that of a page if `page`.

    The histogram has the name `metric`, which is without `_bucket`, and at least the `labels`. A
    sample that is more than `max_age` seconds old says nothing.
    """

    url: str
    page: bool
    metric: str
    labels: Mapping[str, str]
    max_age: float

    def read(self) -> Reading:
        """The histogram now; UnreadableError if it cannot be told."""
        samples, now = self._from_page() if self.page else self._from_server()
        return _newest(self, samples, now)

    @property
    def name(self) -> str:
        """The histogram as Prometheus writes it."""
        labels = ", ".join(f'{key}="{_escaped(value)}"' for key, value in self.labels.items())
        return f"{self.metric}{{{labels}}}" if labels else self.metric

    def _from_server(self) -> tuple[list[Sample], float]:
        bucket = self.name.replace(self.metric, f"{self.metric}_bucket", 1)
        query = urlencode({"query": f"{bucket}[{LOOK_BACK:g}s]"})
        answer = _fetch(f"{self.url}/api/v1/query?{query}", self.url)
        try:
            series = _Answer.model_validate_json(answer.body).data.result
        except ValidationError:
            raise UnreadableError(
                f"{self.url}: no answer of Prometheus' HTTP API to a query: {shown(answer.start)}; "
                "the address of a page of metrics ends in /metrics"
            ) from None
        return [one.last for one in series], answer.now

    def _from_page(self) -> tuple[list[Sample], float]:
        answer = _fetch(self.url, self.url)
        samples = [
            sample._replace(timestamp=sample.timestamp or time.time())
            for family in self._families(answer.body.decode(errors="replace"))
            for sample in family.samples
            if self.labels.items() <= sample.labels.items()
        ]
        return samples, answer.now

    def _families(self, page: str) -> list[Metric]:
        """What the page has of the metric; lines of others are not looked at, which takes long."""
        lines = [line for line in page.splitlines() if line.startswith(f"{self.metric}_bucket")]
        if not lines:
            there = re.findall(r"^# TYPE (\S+) histogram", page, re.MULTILINE)
            hint = suggest(self.metric, there) if there else "it has no histograms"
            raise UnreadableError(f"{self.url}: no '{self.metric}_bucket' on the page; {hint}")
        try:
            return list(text_string_to_metric_families("\n".join(lines)))
        except ValueError as fault:
            raise UnreadableError(
                f"{self.url}: '{self.metric}' is not in the text format of Prometheus: {fault}"
            ) from None


def make_source(url: str, metric: str, labels: Mapping[str, str], max_age: float) -> Source:
    """Check what a user asks for; InputError for what can be no address, metric or label.

    An address that ends in `/metrics` is that of a page, any other that of a server.
    """
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise InputError(
            f"{shown(url)} is no address; allowed: http://HOST:PORT of a Prometheus server, or "
            "http://HOST:PORT/metrics of a page"
        )
    if address.query or address.fragment or "@" in address.netloc:
        raise InputError(f"{shown(url)}: neither a query nor a password may be in the address")
    metric = metric.removesuffix("_bucket")
    if not _METRIC.fullmatch(metric):
        raise InputError(f"{shown(metric)} is no name of a metric")
    for label in labels:
        if not _LABEL.fullmatch(label) or label == "le":
            raise InputError(f"{shown(label)} is no label that a histogram can be chosen by")
    url = url.rstrip("/").removesuffix("/api/v1/query")
    return Source(url, url.endswith("/metrics"), metric, labels, max_age)


class _Series(BaseModel):
    """A series of the API's answer, over a stretch of time."""

    metric: dict[str, str]
    values: list[tuple[float, str]]

    @property
    def last(self) -> Sample:
        moment, value = self.values[-1]
        return Sample("", self.metric, _number(value), moment)


class _Result(BaseModel):
    result: list[_Series]


class _Answer(BaseModel):
    """An answer to a query for a stretch of time."""

    data: _Result


class _Fetched(NamedTuple):
    """An answer, and the moment of it by the clock of who gave it."""

    body: bytes
    now: float

    @property
    def start(self) -> str:
        """The beginning of it, to be shown."""
        return self.body[:MOST_CHARACTERS].decode(errors="replace").strip()


def _fetch(url: str, name: str) -> _Fetched:
    """Read all of an answer; UnreadableError, with `name` for the address, if there is none."""
    deadline = time.monotonic() + PATIENCE
    body = b""
    try:
        with urlopen(url, timeout=PATIENCE) as answer:
            while part := answer.read1():
                body += part
                if len(body) > MOST_BYTES:
                    raise UnreadableError(f"{name}: the answer is longer than {MOST_BYTES} bytes")
                if time.monotonic() > deadline:
                    raise TimeoutError
            date = answer.headers["Date"]
    except TimeoutError:
        raise UnreadableError(f"{name}: no answer within {PATIENCE:g} s") from None
    except HTTPError as error:
        with error:
            said = error.read(MOST_CHARACTERS).decode(errors="replace").strip()
        raise UnreadableError(f"{name}: HTTP status {error.code}: {shown(said)}") from None
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise UnreadableError(f"{name}: no answer within {PATIENCE:g} s") from None
        raise UnreadableError(f"{name}: cannot be reached: {reason}") from None
    return _Fetched(body, _moment(date))


def _moment(date: str | None) -> float:
    """The time that a server gave, in seconds since the epoch; our own if it gave none."""
    try:
        return parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return time.time()


def _newest(source: Source, samples: Sequence[Sample], now: float) -> Reading:
    """The one histogram that the samples are buckets of."""
    place = f"{source.url}: {source.name}"
    if not samples:
        raise UnreadableError(f"{place}: there is none")
    times = [sample.timestamp or now for sample in samples]
    age = now - max(times)
    if age > source.max_age:
        raise UnreadableError(
            f"{place}: the last sample is {age:.0f} s old; allowed: {source.max_age:g} s"
        )
    found: dict[tuple[tuple[str, str], ...], dict[float, float]] = {}
    for sample, moment in zip(samples, times, strict=True):
        if now - moment <= source.max_age:
            labels = {key: value for key, value in sample.labels.items() if key != "__name__"}
            edge = _number(labels.pop("le", "nan"))
            found.setdefault(tuple(sorted(labels.items())), {})[edge] = sample.value
    if len(found) > 1:
        raise AmbiguousError(f"{place} exists {len(found)} times; {_difference([*found])}")
    (counts,) = found.values()
    return Reading(max(times), _checked(counts, place))


def _difference(labels: list[tuple[tuple[str, str], ...]]) -> str:
    """How to tell histograms with these labels apart."""
    shared = set(labels[0]).intersection(*labels[1:])
    own = [" ".join(f"--label {k}={v}" for k, v in one if (k, v) not in shared) for one in labels]
    return f"choose one with {' or with '.join(filter(None, own))}"


def _checked(counts: dict[float, float], place: str) -> dict[float, float]:
    """The buckets in order of their edges; UnreadableError if they are no histogram."""
    if any(math.isnan(edge) for edge in counts) or any(map(math.isnan, counts.values())):
        raise UnreadableError(f"{place}: a bucket is not a number (NaN)")
    ordered = dict(sorted(counts.items()))
    if [*ordered][-1] != math.inf:
        raise UnreadableError(f'{place}: the bucket le="+Inf" is missing')
    heights = [*ordered.values()]
    if heights[0] < 0 or heights != sorted(heights):
        raise UnreadableError(f"{place}: the buckets do not grow with their edges")
    return ordered


def _number(text: str) -> float:
    """A number as Prometheus writes it; NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _escaped(value: str) -> str:
    """The value of a label as it stands in a query."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
