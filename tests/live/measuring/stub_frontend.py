"""A frontend on loopback that answers completions, has a metrics page and keeps a router's log."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

WORKERS = (11, 22)

PAGE = """\
# HELP dynamo_frontend_requests_total requests
dynamo_frontend_requests_total{{model="m",status="success"}} {count}
dynamo_frontend_time_to_first_token_seconds_bucket{{model="m",le="0.01"}} {count}
dynamo_frontend_time_to_first_token_seconds_bucket{{model="m",le="+Inf"}} {count}
dynamo_frontend_time_to_first_token_seconds_sum{{model="m"}} {seconds}
dynamo_frontend_time_to_first_token_seconds_count{{model="m"}} {count}
"""


@dataclass
class StubFrontend:
    """Answers each request after `delay` seconds; `lose` tokens of each never come."""

    log: Path
    delay: float = 0.0
    lose: int = 0
    cut: bool = False  # whether every event comes in two pieces
    fails: bool = False  # whether it refuses
    url: str = ""
    prompts: list[str] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readline():
                length = 0
                while header := (await reader.readline()).strip():
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                if request.startswith(b"GET"):
                    self._page(writer)
                    return
                await self._complete(json.loads(await reader.readexactly(length)), writer)
        finally:
            writer.close()

    def _page(self, writer: asyncio.StreamWriter) -> None:
        count = len(self.prompts)
        body = PAGE.format(count=count, seconds=0.002 * count)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    async def _complete(self, asked: dict, writer: asyncio.StreamWriter) -> None:
        if self.fails:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno")
            return
        chosen = len(self.prompts) % 2
        self.prompts.append(asked["prompt"])
        self._decide(chosen)
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        self._event(writer, {"choices": [{"text": "", "index": 0}]})
        await asyncio.sleep(self.delay)
        for _ in range(asked["max_tokens"]):
            self._event(writer, {"choices": [{"text": "w", "index": 0}], "usage": None})
        usage = {"completion_tokens": asked["max_tokens"] - self.lose}
        self._event(writer, {"choices": [], "usage": usage})
        self._chunk(writer, b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")

    def _event(self, writer: asyncio.StreamWriter, event: dict) -> None:
        text = f"data: {json.dumps(event)}\n\n".encode()
        half = len(text) // 2 if self.cut else 0
        for part in (text[:half], text[half:]):
            if part:
                self._chunk(writer, part)

    def _chunk(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _decide(self, chosen: int) -> None:
        with self.log.open("a") as log:
            for number, worker in enumerate(WORKERS):
                cost = 8.0 + 8 * (number != chosen)
                log.write(formula(worker, cost))
            log.write(selected(WORKERS[chosen], 8.0))


def formula(worker: int, cost: float, weight: float = 0.0) -> str:
    """A line of the router's log."""
    return (
        f"2026-11-26T17:18:05.790935Z  INFO dynamo_llm::kv_router::scheduler: Formula for "
        f"worker_id={worker} dp_rank=0 with 0 cached blocks: {cost:.3f} = {weight:.1f} * "
        f"prefill_blocks + decode_blocks = {weight:.1f} * 8.000 + {cost:.3f}\n"
    )


def selected(worker: int, cost: float) -> str:
    """The line that ends a decision."""
    return (
        f"2026-11-26T17:18:05.790948Z  INFO dynamo_llm::kv_router::scheduler: Selected worker: "
        f"worker_id={worker} dp_rank=0, logit: {cost:.3f}, cached blocks: 0, tree size: 0\n"
    )


@contextmanager
def serving(stub: StubFrontend) -> Iterator[StubFrontend]:
    """The stub, at work on a free port in a thread of its own."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(stub.answer, "127.0.0.1", 0))
    stub.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield stub
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
