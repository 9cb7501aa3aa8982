"""Dynamo v0.9.0 on loopback: NATS for events, engines that keep time, router and HTTP frontend.

Discovery is a folder of files, requests go over TCP and events over NATS, so nothing else is
needed. Engines are entered into the discovery before the frontend starts, since it drops those
whose files it reads half written. Even so its router may never learn what a pool does: it begins
to keep account before it has heard of the workers and loses the message of them. Then it says for
every request that it `Failed to add` it, and weighs each worker for ever as one that has no load
but the request at hand. Such a frontend is ended and another one started: nobody measures before
the router has sent every worker a request.
"""

import json
import os
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from anarchy.common import paths
from anarchy.config.scenario import Scenario
from anarchy.live.engine_settings import EngineSettings, refuse_what_is_not_live
from anarchy.live.model_folder import WORDS, write_model
from anarchy.live.processes import LiveError, Process, Processes, free_port
from anarchy.serving.service_times.lookup import load_service_times

PYTHON = sys.executable
NATS = Path(sysconfig.get_path("scripts")) / "nats-server"

START_SECONDS = 60.0
"""Longest wait for any part of the stack."""

ANSWER_SECONDS = 10.0
"""Longest wait for one answer of a part that has started."""

MOST_STARTS = 10
"""Frontends that are started until one sees all workers."""

OVERLOOKED = "Failed to add request"
"""What the router says of a request to a worker that it does not know."""

Environment = Mapping[str, str]


class Engine:
    """A worker's process, and what it answers: see `worker`."""

    def __init__(self, process: Process, answers: Path) -> None:
        self._process = process
        self._file = answers
        self._asked = 0

    @property
    def worker_id(self) -> int:
        """Its id in the router's log, once it serves."""
        return int(self._answers()[0]["id"])

    def ask_lateness(self) -> None:
        """Ask how late its clock woke since the last time; `lateness` has the answer."""
        self._process.tell("lateness")
        self._asked += 1

    def has_answered(self) -> bool:
        """Whether it has answered all that it was asked; at first, whether it serves."""
        return len(self._answers()) > self._asked

    @property
    def lateness(self) -> dict[str, float]:
        """Its last answer."""
        return self._answers()[-1]

    def _answers(self) -> list[dict[str, float]]:
        text = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]


@dataclass(frozen=True)
class Stack:
    """A running stack, through which some first requests have gone already."""

    url: str
    model: str
    router_log: Path
    prefill_workers: list[int]
    decode_workers: list[int]
    prompt_words: Sequence[str]
    _processes: Processes
    _engines: list[Engine]

    @contextmanager
    def beside(self, name: str, command: Sequence[str | Path]) -> Iterator[Process]:
        """A program of the artefact that belongs to the stack for as long as the context lasts."""
        environment = {**os.environ, "PYTHONPATH": str(paths.ROOT / "src")}
        process = self._processes.start(name, [PYTHON, *command], environment)
        try:
            yield process
        finally:
            self._processes.end(process)

    def check(self) -> None:
        """Raise LiveError if a process has died."""
        self._processes.check()

    def lateness(self) -> dict[str, float]:
        """By how many seconds the engines' clocks woke late since the last call: p50, p99, max.

        Each is that of the worst engine, in seconds of the wall clock, whatever the dilation.
        Empty if no engine did anything.
        """
        for engine in self._engines:
            engine.ask_lateness()
        self._processes.wait_until(
            lambda: all(engine.has_answered() for engine in self._engines),
            "the engines' lateness",
            ANSWER_SECONDS,
        )
        late = [engine.lateness for engine in self._engines]
        return {name: max(one.get(name, 0.0) for one in late) for one in late for name in one}


@contextmanager
def running(
    scenario: Scenario,
    dilation: float,
    folder: Path,
    port: int = 0,
    override: Path | None = None,
) -> Iterator[Stack]:
    """The stack of a scenario, all of whose service times are multiplied by `dilation`.

    Logs and whatever else it needs are written to `folder`, which is made. The frontend listens
    at `port`, or at any if it is 0. With a file `override` the router is a process of its own that
    follows it (see `override_router`), else it is part of the frontend. Raises InputError for a
    scenario that cannot be live, and LiveError for what does not start.
    """
    refuse_what_is_not_live(scenario)
    folder = folder.resolve()
    folder.mkdir(parents=True)
    write_settings(scenario, dilation, folder)
    with Processes(folder) as processes:
        environment = start_nats(processes, folder)
        prefill = start_engines(
            processes, "prefill", scenario.topology.prefill, folder, environment
        )
        decode = start_engines(processes, "decode", scenario.topology.decode, folder, environment)
        processes.wait_until(
            lambda: are_discoverable(prefill + decode, folder), "the engines", START_SECONDS
        )
        for attempt in range(1, MOST_STARTS + 1):
            address = free_port(port)
            routing = []  # what decides, and logs it, comes first
            namespace = None
            if override is not None:
                namespace = f"routed-{attempt}"  # the last router's entries stay behind
                routing += [start_router(processes, namespace, override, folder, environment)]
            command = frontend_command(scenario, address, namespace)
            routing += [processes.start(f"frontend-{attempt}", command, environment)]
            stack = Stack(
                url=f"http://127.0.0.1:{address}",
                model=scenario.model.name,
                router_log=routing[0].log,
                prefill_workers=[engine.worker_id for engine in prefill],
                decode_workers=[engine.worker_id for engine in decode],
                prompt_words=WORDS,
                _processes=processes,
                _engines=prefill + decode,
            )
            if sees_all_workers(stack):
                stack.lateness()  # what comes from now on counts
                yield stack
                return
            for process in routing:
                processes.end(process)
    raise LiveError(f"the router overlooked a worker each time that it was started: {MOST_STARTS}")


def write_settings(scenario: Scenario, dilation: float, folder: Path) -> None:
    """Write the model, and what the engines are to be."""
    write_model(folder / "model")
    settings = EngineSettings(
        scenario=scenario,
        latency=load_service_times(paths.ROOT / paths.LATENCY, scenario.model).table,
        dilation=dilation,
        model_folder=str(folder / "model"),
    )
    (folder / "engines.json").write_text(settings.model_dump_json(), encoding="utf-8")


def start_nats(processes: Processes, folder: Path) -> Environment:
    """Start the server of events; returns the environment of all that is to find it."""
    port = free_port()
    options = ["-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(folder / "nats")]
    nats = processes.start("nats", [NATS, *options], os.environ)
    processes.wait_until(
        lambda: "Server is ready" in nats.log.read_text(encoding="utf-8"), "nats", START_SECONDS
    )
    return {
        **os.environ,
        "PYTHONPATH": str(paths.ROOT / "src"),
        "NATS_SERVER": f"nats://127.0.0.1:{port}",
        "DYN_FILE_KV": str(folder / "discovery"),
        "DYN_TCP_RPC_HOST": "127.0.0.1",
        "DYN_LOG": "info",  # has the router's decisions
        "DYN_SDK_DISABLE_ANSI_LOGGING": "1",
    }


def start_engines(
    processes: Processes, pool: str, workers: int, folder: Path, environment: Environment
) -> list[Engine]:
    """Start the workers of a pool, a process each."""
    engines = []
    for place in range(workers):
        name = f"{pool}-{place}"
        answers = folder / f"{name}.answers"
        arguments = [str(folder / "engines.json"), pool, str(place), str(answers)]
        command = [PYTHON, "-m", "anarchy.live.worker", *arguments]
        process = processes.start(name, command, environment)
        engines.append(Engine(process, answers))
    return engines


def are_discoverable(engines: Sequence[Engine], folder: Path) -> bool:
    """Whether all of them serve and their entries are whole: v0.9.0 writes them in place."""
    entries = {
        entry.name.rpartition("%2F")[2]: entry.stat().st_size
        for entry in folder.glob("discovery/v1/instances/*")
    }
    return all(engine.has_answered() and entries.get(f"{engine.worker_id:x}") for engine in engines)


def start_router(
    processes: Processes, namespace: str, override: Path, folder: Path, environment: Environment
) -> Process:
    """Start a router that takes the place of the workers, and wait until it does."""
    answers = folder / f"{namespace}.answers"
    arguments = [str(folder / "engines.json"), namespace, str(override), str(answers)]
    command = [PYTHON, "-m", "anarchy.live.override_router", *arguments]
    process = processes.start(namespace, command, environment)
    router = Engine(process, answers)
    processes.wait_until(lambda: are_discoverable([router], folder), "the router", START_SECONDS)
    return process


def frontend_command(scenario: Scenario, port: int, namespace: str | None) -> list[str]:
    """HTTP server, and router, with what the scenario says of it, if no namespace has another."""
    options: dict[str, object] = {
        "http-host": "127.0.0.1",
        "http-port": port,
        "store-kv": "file",
        "request-plane": "tcp",
        "event-plane": "nats",
    }
    router = scenario.router
    flags = []
    if namespace is not None:
        options |= {"namespace": namespace, "router-mode": "round-robin"}
    else:
        options |= {
            "router-mode": "kv",
            "router-temperature": router.temperature,
            "kv-overlap-score-weight": router.overlap_weight,
            "kv-cache-block-size": scenario.engine.cache.block_tokens,
        }
        flags = ["--router-reset-states"]
        if router.tracking.active_blocks == "per-request":
            flags.append("--no-assume-kv-reuse")
        if router.tracking.generated_blocks:
            flags.append("--track-output-blocks")
    named = (word for name, value in options.items() for word in (f"--{name}", str(value)))
    return [PYTHON, "-m", "dynamo.frontend", *flags, *named]


def sees_all_workers(stack: Stack) -> bool:
    """Ask for completions until the router has chosen every worker; False if it overlooks one."""
    chosen = [
        f"Selected worker: worker_id={worker} "
        for worker in (*stack.prefill_workers, *stack.decode_workers)
    ]

    def decided() -> bool:
        ask_for_a_token(stack)
        log = stack.router_log.read_text(encoding="utf-8")
        return OVERLOOKED in log or all(line in log for line in chosen)

    stack._processes.wait_until(decided, "the frontend's first answers", START_SECONDS)
    return OVERLOOKED not in stack.router_log.read_text(encoding="utf-8")


def ask_for_a_token(stack: Stack) -> None:
    """Ask for a completion, whatever comes of it; workers without load are chosen at random."""
    body = {"model": stack.model, "prompt": " ".join(WORDS[-16:]), "max_tokens": 1}
    request = urllib.request.Request(
        f"{stack.url}/v1/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError, HTTPException), direct.open(request, timeout=ANSWER_SECONDS) as answer:
        answer.read()
