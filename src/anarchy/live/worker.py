"""One worker of the live stack: a process with an engine behind Dynamo's runtime.

    python -m anarchy.live.worker SETTINGS POOL PLACE ANSWERS

SETTINGS is a file of `EngineSettings`. To the file ANSWERS it writes objects of JSON, one a line:
its id as soon as it serves, and then, for every line on its standard input, how late its clock
woke since the last one. It ends when its standard input does.
"""

import asyncio
import json
import os
import selectors
import sys
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, TextIO

from dynamo.llm import KvEventPublisher, ModelInput, ModelRuntimeConfig, ModelType, register_llm
from dynamo.runtime import Component, Context, DistributedRuntime, Endpoint

from anarchy.live.clock import Clock
from anarchy.live.decode_engine import DecodeEngine
from anarchy.live.engine_settings import EngineSettings
from anarchy.live.prefill_engine import PrefillEngine, Prompt
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.unloaded import handoff_seconds
from anarchy.serving.service_times.worker_speeds import Services

TOKEN = 100
"""All output is this token: nobody reads it."""

Message = dict[str, Any]


def block_names(tokens: Sequence[int], block_tokens: int) -> list[int]:
    """A name for each whole block of a prompt that stands for all of the prompt up to its end.

    The same in every worker, as the router's index demands: hashes of integers have no seed.
    """
    names = []
    name = 0
    for end in range(block_tokens, len(tokens) + 1, block_tokens):
        name = hash((name, *tokens[end - block_tokens : end]))
        names.append(name)
    return names


class KvEvents:
    """Tells the router's index what a worker has cached."""

    def __init__(self, publisher: KvEventPublisher, block_tokens: int) -> None:
        self._publisher = publisher
        self._block_tokens = block_tokens
        self._events = 0

    def changed(self, prompt: Prompt, evicted: list[int]) -> None:
        """A prompt's blocks are cached from now on; those evicted are no longer."""
        known, size = prompt.cached_blocks, self._block_tokens
        new = list(prompt.blocks[known:])
        if new:
            tokens = list(prompt.token_ids[known * size : len(prompt.blocks) * size])
            parent = prompt.blocks[known - 1] if known else None
            self._publisher.publish_stored(self._next(), tokens, [size] * len(new), new, 0, parent)
        if evicted:
            self._publisher.publish_removed(self._next(), evicted)

    def _next(self) -> int:
        self._events += 1
        return self._events


class PrefillWorker:
    """Answers when the prompt's KV cache has been handed off, as the simulator's does."""

    component = "prefill"
    model_type = ModelType.Prefill

    def __init__(
        self,
        settings: EngineSettings,
        place: int,
        clock: Clock,
        component: Component,
        worker_id: int,
    ) -> None:
        self._scenario = settings.scenario
        self._dilation = settings.dilation
        self._clock = clock
        cache = settings.scenario.engine.cache
        publisher = KvEventPublisher(component, worker_id, cache.block_tokens)
        self.engine = PrefillEngine(
            settings.scenario.engine.prefill,
            Services(settings.scenario.topology, Latency(settings.latency)).prefill[place],
            cache,
            settings.dilation,
            clock,
            KvEvents(publisher, cache.block_tokens).changed,
        )

    async def generate(self, request: Message, context: Context) -> AsyncIterator[Message]:
        """One message, once the decode worker could begin."""
        tokens = request["token_ids"]
        cache = self._scenario.engine.cache
        blocks = block_names(tokens, cache.block_tokens) if cache.enabled else []
        computed = await self.engine.prefill(tokens, blocks)
        handoff = handoff_seconds(self._scenario, len(tokens))
        await self._clock.until(computed + self._dilation * handoff)
        yield {
            "token_ids": [TOKEN],
            "finish_reason": "stop",
            "disaggregated_params": {"kv_transfer_params": {"tokens": len(tokens)}},
        }


class DecodeWorker:
    """Makes as many tokens as the request says."""

    component = "backend"
    model_type = ModelType.Completions

    def __init__(
        self,
        settings: EngineSettings,
        place: int,
        clock: Clock,
        component: Component,
        worker_id: int,
    ) -> None:
        self.engine = DecodeEngine(
            Services(settings.scenario.topology, Latency(settings.latency)).decode[place],
            settings.scenario.engine.decode.slots,
            settings.dilation,
            clock,
        )

    async def generate(self, request: Message, context: Context) -> AsyncIterator[Message]:
        """The output; one that nobody waits for any more is given up."""
        left = request["stop_conditions"]["max_tokens"]
        async with aclosing(self.engine.decode(len(request["token_ids"]), left)) as messages:
            async for tokens in messages:
                if context.is_stopped():
                    return
                left -= tokens
                end = {} if left else {"finish_reason": "length"}
                yield {"token_ids": [TOKEN] * tokens, **end}


POOLS: dict[str, type[PrefillWorker] | type[DecodeWorker]] = {
    "prefill": PrefillWorker,
    "decode": DecodeWorker,
}


async def serve(settings: EngineSettings, pool: str, place: int, answers: TextIO) -> None:
    """Serve requests until standard input ends."""
    kind = POOLS[pool]
    clock = Clock()
    runtime = DistributedRuntime(asyncio.get_running_loop(), "file", "tcp", True)
    component = runtime.namespace("dynamo").component(kind.component)
    endpoint = component.endpoint("generate")
    worker = kind(settings, place, clock, component, endpoint.connection_id())
    await register(endpoint, kind.model_type, settings)
    answer(answers, {"id": endpoint.connection_id()})
    ends = [
        asyncio.ensure_future(worker.engine.run()),
        asyncio.ensure_future(endpoint.serve_endpoint(worker.generate)),
        asyncio.ensure_future(obey(clock, answers)),
    ]
    ended, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ended:
        end.result()  # raises what an engine raised


async def register(endpoint: Endpoint, model_type: ModelType, settings: EngineSettings) -> None:
    """Enter the worker and what it can do into the discovery."""
    engine = settings.scenario.engine
    config = ModelRuntimeConfig()
    config.total_kv_blocks = engine.cache.capacity_tokens // engine.cache.block_tokens
    config.max_num_seqs = engine.decode.slots
    config.max_num_batched_tokens = engine.prefill.batch_tokens
    await register_llm(
        ModelInput.Tokens,
        model_type,
        endpoint,
        settings.model_folder,
        model_name=settings.scenario.model.name,
        kv_cache_block_size=engine.cache.block_tokens,
        runtime_config=config,
    )


async def obey(clock: Clock, answers: TextIO) -> None:
    """Answer the lines of the standard input, without keeping the engine from its clock."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async for _ in reader:
        answer(answers, clock.lateness())


def answer(answers: TextIO, value: object) -> None:
    """Write one line."""
    answers.write(f"{json.dumps(value)}\n")
    answers.flush()


def exact_loop() -> asyncio.AbstractEventLoop:
    """A loop that sleeps to the microsecond; others round up to whole milliseconds."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def main(settings_file: str, pool: str, place: str, answers_file: str) -> None:
    """Serve as one worker of a pool, and leave at once: the runtime's threads would call Python
    while it ends."""
    settings = EngineSettings.model_validate_json(Path(settings_file).read_bytes())
    try:
        with (
            Path(answers_file).open("w", encoding="utf-8") as answers,
            asyncio.Runner(loop_factory=exact_loop) as runner,
        ):
            runner.run(serve(settings, pool, int(place), answers))
    except Exception as fault:
        traceback.print_exc()
        print(f"ERROR {fault!r}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
