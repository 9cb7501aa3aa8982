"""A closed loop whose number of clients changes: `workload.phases`, live.

Who begins when, and who stops, is as in the simulator's closed loop: the steps are those of the
same demand, and a client that is too many stops when its request is done.
"""

import asyncio
from functools import partial

from anarchy.config.live import ControlledRun
from anarchy.live.measuring.load import Answer, Connection, Prompts
from anarchy.live.stack import Stack
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.service_times.unloaded import unloaded_seconds
from anarchy.workload.demand import ClientStep, make_demand
from anarchy.workload.random_streams import exponentials, integers, streams


class PhasedLoad:
    """The clients of one run; it ends with its last phase, and hears what is under way then."""

    def __init__(self, stack: Stack, run: ControlledRun, latency: Latency, seed: int) -> None:
        workload = run.workload
        generators = streams(seed, 0)
        unloaded = partial(unloaded_seconds, run.scenario, latency)
        demand = make_demand(run.scenario, generators, 1, 1.0, None, unloaded)
        self.answers: list[Answer] = []
        self._stack = stack
        self._dilation = run.dilation
        self.prompts = Prompts(stack.prompt_words, workload.input_tokens, seed)
        self._tokens = workload.output_tokens
        self._templates = integers(generators["prompts"], workload.templates)
        self._thinks = exponentials(generators["think"], workload.think_time)
        self._steps = [ClientStep(0.0, len(demand.starts), demand.starts), *demand.steps]
        self._until = demand.until
        self._began = 0.0
        self._clients = 0  # those that go on asking
        self._idle = set(range(workload.clients))

    async def until(self, seconds: float) -> None:
        """Wait until so many of the scenario's seconds have passed since the start."""
        await asyncio.sleep(max(0.0, self.moment(seconds) - asyncio.get_running_loop().time()))

    def moment(self, seconds: float) -> float:
        """When so many of the scenario's seconds have passed, on the clock of the answers."""
        return self._began + self._dilation * seconds

    def begin(self) -> None:
        """The run starts now."""
        self._began = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Ask, phase after phase."""
        async with asyncio.TaskGroup() as clients:
            for step in self._steps:
                await self.until(step.time)
                for client, start in enumerate(step.starts.tolist(), self._clients):
                    if client in self._idle:  # or it goes on, not having stopped yet
                        self._idle.remove(client)
                        clients.create_task(self._client(client, start))
                self._clients = step.clients
            await self.until(self._until)
            self._clients = 0

    async def _client(self, client: int, start: float) -> None:
        async with Connection(self._stack.url, self._stack.model) as connection:
            await self.until(start)
            while client < self._clients:
                text = self.prompts.text(next(self._templates))
                self.answers.append(await connection.complete(text, self._tokens))
                if client < self._clients:
                    await asyncio.sleep(next(self._thinks) * self._dilation)
        self._idle.add(client)
