"""Dynamo v0.9.0 on loopback: event plane, engines that keep time, router and HTTP frontend."""

import json
import os
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from anarchy.common import paths
from anarchy.config.scenario import Scenario
from anarchy.live.engine_settings import EngineSettings, refuse_what_is_not_live
from anarchy.live.model_folder import WORDS, write_model
from anarchy.live.processes import Process, Processes, free_port
from anarchy.serving.service_times.lookup import load_latency

START_SECONDS = 60.0
"""Longest wait for any part of the stack."""

HTTP_SECONDS = 10.0
"""Longest wait for one answer while the stack starts."""


class Engine:
    """A worker's process, and what it answers."""

    def __init__(self, process: Process, answers: Path) -> None:
        self.process = process
        self._file = answers
        self._asked = 0

    def ask(self) -> None:
        """Ask for the lateness since the last time."""
        self.process.tell("lateness")
        self._asked += 1

    def answers(self) -> list[dict[str, float]]:
        """All answers so far, the first with the worker's id."""
        text = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]

    def answered(self) -> bool:
        """Whether it has answered all that it was asked; at first, whether it serves."""
        return len(self.answers()) > self._asked


@dataclass
class Stack:
    """A running stack; its log has the lines of its own first requests already."""

    url: str
    model: str
    frontend_log: Path
    prefill_workers: list[int]
    decode_workers: list[int]
    prompt_words: Sequence[str]
    _processes: Processes
    _engines: list[Engine]

    def check(self) -> None:
        """Raise LiveError if a process has died."""
        self._processes.check()

    def lateness(self) -> dict[str, float]:
        """Seconds by which the clock that is worst woke late, since the last call: p50, p99, max.

        Seconds of the wall clock, not divided by the dilation; empty if no engine did anything.
        """
        for engine in self._engines:
            engine.ask()
        self._processes.wait_until(
            lambda: all(engine.answered() for engine in self._engines),
            "the engines' lateness",
            HTTP_SECONDS,
        )
        late = [engine.answers()[-1] for engine in self._engines]
        return {name: max(one.get(name, 0.0) for one in late) for one in late for name in one}


@contextmanager
def running(scenario: Scenario, dilation: float, folder: Path) -> Iterator[Stack]:
    """The stack of a scenario, all of its service times multiplied by `dilation`.

    Everything is written to `folder`, which is made. Raises LiveError for what cannot start.
    """
    refuse_what_is_not_live(scenario)
    folder = folder.resolve()
    folder.mkdir(parents=True)
    write_model(folder / "model")
    table = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency).table
    settings = EngineSettings(
        scenario=scenario, latency=table, dilation=dilation, model_folder=str(folder / "model")
    )
    (folder / "engines.json").write_text(settings.model_dump_json(), encoding="utf-8")
    with Processes(folder) as processes:
        environment = start_event_plane(processes, folder)
        engines = {
            pool: start_engines(processes, pool, workers, folder, environment)
            for pool, workers in (
                ("prefill", scenario.topology.prefill),
                ("decode", scenario.topology.decode),
            )
        }
        everyone = [engine for pool in engines.values() for engine in pool]
        processes.wait_until(
            lambda: all(engine.answered() for engine in everyone), "the engines", START_SECONDS
        )
        ids = {
            pool: [int(engine.answers()[0]["id"]) for engine in several]
            for pool, several in engines.items()
        }
        url, log = start_frontend(processes, scenario, environment)
        stack = Stack(
            url=url,
            model=scenario.model.name,
            frontend_log=log,
            prefill_workers=ids["prefill"],
            decode_workers=ids["decode"],
            prompt_words=WORDS,
            _processes=processes,
            _engines=everyone,
        )
        processes.wait_until(
            lambda: knows_all_workers(stack), "the frontend's first answers", START_SECONDS
        )
        stack.lateness()
        yield stack


def start_event_plane(processes: Processes, folder: Path) -> dict[str, str]:
    """Start NATS; returns the environment of all that is to find it."""
    port = free_port()
    program = Path(sysconfig.get_path("scripts")) / "nats-server"
    nats = processes.start(
        "nats",
        [program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", folder / "nats"],
        dict(os.environ),
    )
    processes.wait_until(
        lambda: "Server is ready" in nats.log.read_text(encoding="utf-8"), "nats", START_SECONDS
    )
    return {
        **os.environ,
        "PYTHONPATH": str(paths.ROOT / "src"),
        "NATS_SERVER": f"nats://127.0.0.1:{port}",
        "DYN_FILE_KV": str(folder / "discovery"),
        "DYN_TCP_RPC_HOST": "127.0.0.1",
        "DYN_EVENT_PLANE": "nats",
        "DYN_LOG": "info",
        "DYN_SDK_DISABLE_ANSI_LOGGING": "1",
        "DYN_RUNTIME_NUM_WORKER_THREADS": "2",
    }


def start_engines(
    processes: Processes, pool: str, workers: int, folder: Path, environment: Mapping[str, str]
) -> list[Engine]:
    """Start the workers of a pool, a process each."""
    engines = []
    for place in range(workers):
        name = f"{pool}-{place}"
        answers = folder / f"{name}.answers"
        command = [sys.executable, "-m", "anarchy.live.worker", str(folder / "engines.json")]
        process = processes.start(name, [*command, pool, str(place), str(answers)], environment)
        engines.append(Engine(process, answers))
    return engines


def start_frontend(
    processes: Processes, scenario: Scenario, environment: Mapping[str, str]
) -> tuple[str, Path]:
    """Start HTTP server and router; returns the address and the log."""
    port = free_port()
    router = scenario.router
    options: dict[str, str | float] = {
        "http-host": "127.0.0.1",
        "http-port": port,
        "router-mode": "kv",
        "kv-cache-block-size": scenario.engine.cache.block_tokens,
        "kv-overlap-score-weight": router.overlap_weight,
        "router-temperature": router.temperature,
        "store-kv": "file",
        "request-plane": "tcp",
        "event-plane": "nats",
    }
    switches = ["--router-reset-states"]
    if router.tracking.active_blocks == "per-request":
        switches.append("--no-assume-kv-reuse")
    if router.tracking.generated_blocks:
        switches.append("--track-output-blocks")
    command: list[str] = [sys.executable, "-m", "dynamo.frontend", *switches]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    frontend = processes.start("frontend", command, environment)
    return f"http://127.0.0.1:{port}", frontend.log


def knows_all_workers(stack: Stack) -> bool:
    """Whether the router, asked for one token, has weighed all workers."""
    body = {"model": stack.model, "prompt": " ".join(WORDS[-16:]), "max_tokens": 1}
    request = urllib.request.Request(
        f"{stack.url}/v1/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=HTTP_SECONDS) as answer:
            answer.read()
    except OSError:
        return False
    log = stack.frontend_log.read_text(encoding="utf-8")
    workers = [*stack.prefill_workers, *stack.decode_workers]
    return all(f"worker_id={worker}" in log for worker in workers)
