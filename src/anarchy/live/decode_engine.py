"""A decode worker that only keeps time: the batch of `serving.reference.plain.decode`, live.

The batch has one clock of absolute step boundaries, so that waking up late moves no later step.
Requests join at the first boundary that is not before their arrival; a step of B sequences lasts
the table's ITL at their mean context, and each of them gets one token.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from anarchy.live.clock import Clock
from anarchy.serving.service_times.lookup import Latency

MESSAGE_TOKENS = 16
"""Most tokens in one message after the first; fewer messages leave the machine free."""


class Sequence:
    """A request: its tokens so far, and how many of them were sent."""

    def __init__(self, prompt_tokens: int, output_tokens: int, arrived: float) -> None:
        self.context = prompt_tokens
        self.left = output_tokens
        self.arrived = arrived
        self.unsent = 0
        self.messages: asyncio.Queue[int] = asyncio.Queue()
        self._started = False

    def step(self) -> None:
        """Make one token, and send what is due: the first at once, others several together."""
        self.context += 1
        self.left -= 1
        self.unsent += 1
        if not self._started or not self.left or self.unsent == MESSAGE_TOKENS:
            self._started = True
            self.messages.put_nowait(self.unsent)
            self.unsent = 0


class DecodeEngine:
    """Continuous batching; all service times are multiplied by `dilation`."""

    def __init__(self, latency: Latency, slots: int, dilation: float, clock: Clock) -> None:
        self._latency = latency
        self._slots = slots
        self._dilation = dilation
        self._clock = clock
        self._waiting: deque[Sequence] = deque()
        self._batch: list[Sequence] = []
        self._arrival = asyncio.Event()

    async def decode(self, prompt_tokens: int, output_tokens: int) -> AsyncGenerator[int]:
        """The numbers of tokens of the messages that make up the output."""
        sequence = Sequence(prompt_tokens, output_tokens, self._clock.now())
        self._waiting.append(sequence)
        self._arrival.set()
        try:
            sent = 0
            while sent < output_tokens:
                tokens = await sequence.messages.get()
                sent += tokens
                yield tokens
        finally:
            sequence.left = 0  # whoever gave up leaves the batch at the next boundary

    async def run(self) -> None:
        """Make steps for ever."""
        boundary = 0.0
        while True:
            while not (self._batch or self._waiting):
                self._arrival.clear()
                await self._arrival.wait()
            if not self._batch:
                boundary = max(boundary, self._waiting[0].arrived)
            self._admit(boundary)
            boundary += self._dilation * self._step_seconds()
            await self._clock.until(boundary)
            for sequence in self._batch:
                if sequence.left:
                    sequence.step()
            self._batch = [sequence for sequence in self._batch if sequence.left]

    def _admit(self, boundary: float) -> None:
        """Let those who had arrived by the boundary join while there are free slots."""
        waiting = self._waiting
        while waiting and waiting[0].arrived <= boundary and len(self._batch) < self._slots:
            self._batch.append(waiting.popleft())

    def _step_seconds(self) -> float:
        batch = self._batch
        return self._latency.itl(len(batch), sum(s.context for s in batch) / len(batch))
