"""The router of the live stack as a process of Python, which overrides tau and omega per request.

    python -m anarchy.live.override_router SETTINGS NAMESPACE OVERRIDE ANSWERS

It stands between Dynamo's frontend and its workers. The frontend takes it for the one worker that
serves the model; it sends each request on through `KvPushRouter`, the router that the frontend
would hold itself, to a prefill worker and then to a decode worker. No field of an HTTP request
carries `router_config_override` in v0.9.0, so Python has to meet every request somewhere.

SETTINGS is a file of `EngineSettings`. NAMESPACE is where the frontend looks for models, which is
not where the workers are. OVERRIDE is a file with one object of JSON, the override as Dynamo spells
it, which is read anew for every request; until there is one, the scenario's router decides. To the
file ANSWERS it writes its id as soon as it serves, as `worker` does. It is ended by who started it.
"""

import asyncio
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvloop
from dynamo.llm import KvPushRouter, KvRouterConfig, ModelInput, ModelType, register_llm
from dynamo.runtime import Context, DistributedRuntime

from anarchy.config.router import Router
from anarchy.live.engine_settings import EngineSettings

Message = dict[str, Any]


class OverrideRouter:
    """Prefill, then decode, each on the worker that Dynamo's router chooses for it."""

    def __init__(
        self, runtime: DistributedRuntime, settings: EngineSettings, override: Path
    ) -> None:
        scenario = settings.scenario
        self._override = override

        def router(pool: str, tracks_load: bool) -> KvPushRouter:
            return KvPushRouter(
                endpoint=runtime.namespace("dynamo").component(pool).endpoint("generate"),
                block_size=scenario.engine.cache.block_tokens,
                kv_router_config=_router_config(scenario.router, tracks_load),
            )

        # As the frontend does: the prefill router does not count active blocks.
        self._prefill = router("prefill", tracks_load=False)
        self._decode = router("backend", tracks_load=True)

    async def generate(self, request: Message, context: Context) -> AsyncIterator[Message]:
        """The output of a request, as its decode worker makes it."""
        override = self._current()
        prefill = {
            **request,
            "stop_conditions": {**request["stop_conditions"], "max_tokens": 1},
            "router_config_override": override,
        }
        async for message in await self._prefill.generate_from_request(prefill):
            result = message
        decode = {
            **request,
            "prefill_result": {"disaggregated_params": result["disaggregated_params"]},
            # As the frontend does: overlap has no weight in decode.
            "router_config_override": {**override, "overlap_score_weight": 0.0},
        }
        async for message in await self._decode.generate_from_request(decode):
            if context.is_stopped():
                return
            yield message

    def _current(self) -> Message:
        try:
            override: Message = json.loads(self._override.read_bytes())
        except FileNotFoundError:
            return {}
        return override


def _router_config(router: Router, tracks_load: bool) -> KvRouterConfig:
    return KvRouterConfig(
        overlap_score_weight=router.overlap_weight,
        router_temperature=router.temperature,
        router_track_active_blocks=tracks_load,
        router_track_output_blocks=router.tracking.generated_blocks,
        router_assume_kv_reuse=router.tracking.active_blocks == "distinct",
        router_reset_states=True,
    )


async def serve(settings: EngineSettings, namespace: str, override: Path, answers: Path) -> None:
    """Serve requests for ever."""
    runtime = DistributedRuntime(asyncio.get_running_loop(), "file", "tcp", True)
    endpoint = runtime.namespace(namespace).component("backend").endpoint("generate")
    router = OverrideRouter(runtime, settings, override)
    await register_llm(
        ModelInput.Tokens,
        ModelType.Completions,
        endpoint,
        settings.model_folder,
        model_name=settings.scenario.model.name,
        kv_cache_block_size=settings.scenario.engine.cache.block_tokens,
    )
    answers.write_text(f"{json.dumps({'id': endpoint.connection_id()})}\n", encoding="utf-8")
    await endpoint.serve_endpoint(router.generate)


def main(settings_file: str, namespace: str, override_file: str, answers_file: str) -> None:
    """Serve, and leave at once: the runtime's threads would call Python while it ends."""
    settings = EngineSettings.model_validate_json(Path(settings_file).read_bytes())
    try:
        uvloop.run(serve(settings, namespace, Path(override_file), Path(answers_file)))
    except Exception as fault:
        traceback.print_exc()
        print(f"ERROR {fault!r}", file=sys.stderr, flush=True)
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
