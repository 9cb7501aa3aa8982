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
from typing import Annotated, NamedTuple
from urllib.error import HTTPError
from urllib.parse import SplitResult, urlencode, urlsplit
from urllib.request import urlopen

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, BeforeValidator, ValidationError

from anarchy.common.errors import MOST_CHARACTERS, InputError, printable, shown, suggest
from anarchy.control.histogram import Histogram

TTFT = "dynamo_frontend_time_to_first_token_seconds"
"""The histogram of times to first token on the metrics page of Dynamo's frontend."""

PATIENCE = 4.0
"""Seconds that an answer may take, all of it."""

MOST_BYTES = 32 * 2**20
"""Longest answer that is read."""

LOOK_BACK = 300.0
"""Seconds over which a server is asked for samples, so that one too old can be named."""

Bucket = tuple[Mapping[str, str], Mapping[float, float]]
"""A bucket of a histogram: its labels, and its counts by time."""

_METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class UnreadableError(Exception):
    """No reading this time: one line that says why."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, MOST_CHARACTERS))


class AmbiguousError(UnreadableError):
    """More than one histogram has the name, and nothing says which of them is meant."""


class Reading(NamedTuple):
    """A histogram at `time`, in seconds since the epoch by the clock of who took the sample."""

    time: float
    histogram: Histogram


@dataclass(frozen=True)
class Source:
    """Where a histogram is read: `url` is that of a server, or that of a page if `page`.

    The histogram has the name `metric`, which is without `_bucket`, and at least the `labels`. It
    says nothing if its last sample is more than `max_age` seconds old.
    """

    url: str
    page: bool
    metric: str
    labels: Mapping[str, str]
    max_age: float

    def read(self, after: float) -> list[Reading]:
        """The readings since `after`, in order; a page has one, a server all that it has kept.

        None if nothing is new. UnreadableError if that cannot be told.
        """
        samples, now = self._from_page() if self.page else self._from_server()
        buckets = self._chosen(samples, now)
        return [
            Reading(moment, self._histogram(counts))
            for moment, counts in sorted(buckets.items())
            if moment > after
        ]

    @property
    def name(self) -> str:
        """The histogram as Prometheus writes it."""
        labels = ", ".join(f'{key}="{_escaped(value)}"' for key, value in self.labels.items())
        return f"{self.metric}{{{labels}}}" if labels else self.metric

    def _from_server(self) -> tuple[list[Bucket], float]:
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
        return [(one.metric, dict(one.values)) for one in series], answer.now

    def _from_page(self) -> tuple[list[Bucket], float]:
        answer = _fetch(self.url, self.url)
        now = time.time()
        samples = (
            sample
            for family in self._families(answer.body.decode(errors="replace"))
            for sample in family.samples
        )
        return [
            (sample.labels, {float(sample.timestamp or now): sample.value})
            for sample in samples
            if self.labels.items() <= sample.labels.items()
        ], answer.now

    def _families(self, page: str) -> list[Metric]:
        """What the page has of the metric; to parse all others would take long."""
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

    def _chosen(self, buckets: Sequence[Bucket], now: float) -> dict[float, dict[float, float]]:
        """The one histogram that the buckets are of: counts by edge, by the time of the sample."""
        if not buckets:
            raise self._fault("there is none")
        age = now - max(max(values) for _, values in buckets)
        if age > self.max_age:
            raise self._fault(f"the last sample is {age:.0f} s old; allowed: {self.max_age:g} s")
        found: dict[frozenset[tuple[str, str]], dict[float, dict[float, float]]] = {}
        for labels, values in buckets:
            if now - max(values) <= self.max_age:
                others = frozenset((k, v) for k, v in labels.items() if k not in ("__name__", "le"))
                for moment, count in values.items():
                    counts = found.setdefault(others, {}).setdefault(moment, {})
                    counts[_number(labels.get("le", ""))] = count
        if len(found) > 1:
            fault = f"{self.url}: {self.name} exists {len(found)} times; {_choices([*found])}"
            raise AmbiguousError(fault)
        return next(iter(found.values()))

    def _histogram(self, counts: Mapping[float, float]) -> Histogram:
        """The counts in order of their edges; UnreadableError if they are no histogram's."""
        if any(map(math.isnan, (*counts, *counts.values()))):
            raise self._fault("a bucket is not a number (NaN)")
        edges = sorted(counts)
        heights = [counts[edge] for edge in edges]
        if edges[-1] != math.inf:
            raise self._fault('the bucket le="+Inf" is missing')
        if heights[0] < 0 or heights != sorted(heights):
            raise self._fault("the buckets do not grow with their edges")
        return Histogram(tuple(edges), tuple(heights))

    def _fault(self, what: str) -> UnreadableError:
        return UnreadableError(f"{self.url}: {self.name}: {what}")


def make_source(url: str, metric: str, labels: Mapping[str, str], max_age: float) -> Source:
    """Check what a user asks for; InputError for what can be no address, metric or label.

    An address that ends in `/metrics` is that of a page, any other that of a server.
    """
    address = _address(url)
    if address is None:
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


def _address(url: str) -> SplitResult | None:
    """The parts of an address, None if it is none."""
    if " " in url or not url.isprintable():
        return None
    try:
        address = urlsplit(url)
        known = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:  # a bracket that does not end, a port beyond 65535
        return None
    return address if known else None


def _number(text: str) -> float:
    """A number as Prometheus writes it; NaN if it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


Value = Annotated[float, BeforeValidator(_number)]


class _Series(BaseModel):
    """A series of the API's answer: its labels, and its values by time."""

    metric: dict[str, str]
    values: list[tuple[float, Value]]


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


def _choices(labels: list[frozenset[tuple[str, str]]]) -> str:
    """How to choose between histograms with these labels."""
    shared = frozenset.intersection(*labels)
    choices = (
        " ".join(f"--label {key}={value}" for key, value in sorted(own - shared)) for own in labels
    )
    return f"choose one with {' or with '.join(sorted(filter(None, choices)))}"


def _escaped(value: str) -> str:
    """The value of a label as it stands in a query."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
