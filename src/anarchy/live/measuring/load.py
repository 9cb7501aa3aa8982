"""A closed loop of clients at the frontend: think, ask, hear the last token, think again.

It is the simulator's closed loop, live: first requests within one unloaded cycle, templates and
think times from the simulator's own random streams, and a window that begins and ends with
completions (`workload.demand`). All times are multiplied by the dilation.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import numpy as np

from anarchy.config.live import LivePoint
from anarchy.live.processes import LiveError
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.unloaded import unloaded_seconds
from anarchy.workload.demand import Demand, make_demand
from anarchy.workload.random_streams import Generators, exponentials, integers, streams

PATIENCE = 60.0
"""Seconds without a word from the frontend after which it is taken to be dead."""


class Answer(NamedTuple):
    """A request as its client saw it; moments in seconds on the event loop's clock."""

    sent: float
    first: float  # the first token
    done: float  # the end of the stream, after the last token


class Connection:
    """A connection to the frontend, which one client uses for all its requests."""

    def __init__(self, url: str, model: str) -> None:
        self._url = url
        self._model = model
        self._host = urlsplit(url).netloc
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        host, port = self._host.split(":")
        try:
            self._reader, self._writer = await asyncio.open_connection(host, int(port))
        except OSError as error:
            raise LiveError(f"{self._url}: no connection: {error.strerror or error}") from None
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def complete(self, prompt: str, tokens: int) -> Answer:
        """Ask for `tokens` tokens; LiveError if not just as many come."""
        clock = asyncio.get_running_loop().time
        sent = clock()
        first, counted = 0.0, 0
        self._writer.write(self._request(prompt, tokens))
        try:
            async for event in self._events():
                if not first and any(choice["text"] for choice in event["choices"]):
                    first = clock()
                if event.get("usage"):
                    counted = event["usage"]["completion_tokens"]
        except TimeoutError:
            raise LiveError(f"{self._url}: no word for {PATIENCE:g} s") from None
        except (OSError, EOFError) as error:
            raise LiveError(f"{self._url}: the connection broke: {error}") from None
        except (ValueError, LookupError, TypeError) as error:
            raise LiveError(f"{self._url}: no stream of completions: {error!r}") from None
        if counted != tokens or not first:
            raise LiveError(f"{self._url}: {counted} tokens came, {tokens} were asked for")
        return Answer(sent, first, clock())

    def _request(self, prompt: str, tokens: int) -> bytes:
        asked = {
            "model": self._model,
            "prompt": prompt,
            "max_tokens": tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        body = json.dumps(asked)
        head = (
            f"POST /v1/completions HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return (head + body).encode()

    async def _events(self) -> AsyncIterator[dict[str, Any]]:
        """The events of the answer: JSON objects after `data:`, in chunks of any size."""
        status = await self._line()
        while header := (await self._line()).strip():
            if header.lower().startswith(b"content-length"):
                raise LiveError(f"{self._url}: {status.decode().strip()}, and no stream")
        left = b""
        while size := int(await self._line(), 16):
            async with asyncio.timeout(PATIENCE):
                left += (await self._reader.readexactly(size + 2))[:-2]
            *events, left = left.split(b"\n\n")
            for event in events:
                if event.startswith(b"data: {"):
                    yield json.loads(event.removeprefix(b"data: "))
        await self._line()

    async def _line(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self._reader.readuntil(b"\n")


class Prompts:
    """The text of each template: as many words as it has tokens, another text for each."""

    def __init__(self, words: Sequence[str], tokens: int, seed: int) -> None:
        self._words = words
        self._tokens = tokens
        self._seed = seed

    def text(self, template: int) -> str:
        """The words of a template; equal for equal templates and seeds."""
        draw = np.random.default_rng([self._seed, template])
        return " ".join(self._words[i] for i in draw.integers(len(self._words), size=self._tokens))


class ClosedLoopLoad:
    """The clients of one point; `opened` and `closed` are set when its window begins and ends.

    `at_edge` is called at both moments, before anybody sends another request.
    """

    def __init__(
        self,
        url: str,
        model: str,
        prompts: Prompts,
        point: LivePoint,
        demand: Demand,
        generators: Generators,
    ) -> None:
        workload = point.workload
        self.opened, self.closed = asyncio.Event(), asyncio.Event()
        self.at_edge: Callable[[], None] = lambda: None
        self.answers: list[Answer] = []
        self._url, self._model = url, model
        self._prompts = prompts
        self._tokens = workload.output_tokens
        self._dilation = point.dilation
        self._starts: list[float] = demand.starts.tolist()
        self._extent = demand.extent
        self._templates = integers(generators["prompts"], workload.templates)
        self._thinks = exponentials(generators["think"], workload.think_time)

    @property
    def measured(self) -> list[Answer]:
        """The answers of the window, in order of completion."""
        return self.answers[self._extent.warmup :][: self._extent.measured]

    @property
    def boundary(self) -> float:
        """The moment at which the window begins: that of the last completion before it."""
        return self.answers[self._extent.warmup - 1].done

    async def run(self) -> None:
        """Ask until the window is closed, then hear the answers that are under way."""
        async with asyncio.TaskGroup() as clients:
            for start in self._starts:
                clients.create_task(self._client(start * self._dilation, next(self._templates)))

    async def _client(self, pause: float, template: int) -> None:
        async with Connection(self._url, self._model) as connection:
            while not self.closed.is_set():
                text = self._prompts.text(template)
                await asyncio.sleep(pause)
                answer = await connection.complete(text, self._tokens)
                self._note(answer)
                pause = next(self._thinks) * self._dilation
                template = next(self._templates)

    def _note(self, answer: Answer) -> None:
        self.answers.append(answer)
        edges = {
            self._extent.warmup: self.opened,
            self._extent.warmup + self._extent.measured: self.closed,
        }
        edge = edges.get(len(self.answers))
        if edge is not None:
            self.at_edge()
            edge.set()


def make_load(
    url: str, model: str, words: Sequence[str], point: LivePoint, latency: Latency, seed: int
) -> ClosedLoopLoad:
    """The clients of a point, before they begin."""
    scenario = point.scenario
    generators = streams(seed, 0)
    demand = make_demand(
        scenario,
        generators,
        point.requests,
        point.warmup_cycles,
        None,
        lambda prompt, output: unloaded_seconds(scenario, latency, prompt, output),
    )
    prompts = Prompts(words, point.workload.input_tokens, seed)
    return ClosedLoopLoad(url, model, prompts, point, demand, generators)


def expected_seconds(point: LivePoint, latency: Latency) -> float:
    """About how long a point takes: its cycles, one of them to hear the last answers."""
    workload, scenario = point.workload, point.scenario
    prompt, output = workload.input_tokens, workload.output_tokens
    alone = unloaded_seconds(scenario, latency, prompt, output)
    queued = workload.clients * latency.prefill(prompt) / scenario.topology.prefill
    cycles = point.warmup_cycles + point.requests / workload.clients + 1
    return cycles * max(alone, queued) * point.dilation
