"""How long a request of a closed loop can be in the system, wherever it and all others go.

Queues are first come, first served, so at most the other C - 1 clients' requests are before it in
any of them. A batch cannot hold more than prefill can have delivered while its oldest member
decodes, so a bound of the time in decode bounds the batch, and this the time in decode again.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anarchy.measure.bracket.deployment import Deployment
from anarchy.measure.bracket.requests import Requests
from anarchy.serving.log.request_log import Floats


@dataclass(frozen=True)
class LongestStays:
    """Upper bounds in seconds, by request where that matters."""

    requests: Requests
    deployment: Deployment

    @cached_property
    def prefill(self) -> float:
        """From arrival to the end of prefill: the frontend and a step for each client."""
        scenario, clients = self.deployment.scenario, self.deployment.most
        tokens = int(self.requests.input_tokens.max())
        limits, frontend = scenario.engine.prefill, scenario.frontend
        largest = tokens if limits.batch_requests == 1 else max(tokens, limits.batch_tokens)
        step = self.deployment.longest_step(largest, tokens)
        before = frontend.overhead * (clients if frontend.serial else 1)
        return before + clients * step / min(self.deployment.prefill_speeds)

    @cached_property
    def handoff(self) -> float:
        """Of the hand-off: a link that is shared may carry all clients' prompts at once."""
        handoff = self.deployment.scenario.engine.handoff
        alone = self.deployment.handoff(int(self.requests.input_tokens.max()))
        shared = handoff.link != "none"
        return handoff.overhead + (alone - handoff.overhead) * (
            self.deployment.most if shared else 1
        )

    @cached_property
    def step(self) -> float:
        """Of a decode step, whose batch is what prefill delivers within the longest stay."""
        steps = self.deployment.decode_steps(self.requests.context[1])
        longest = np.maximum.accumulate(steps) / min(self.deployment.decode_speeds)
        batch = self.deployment.batch
        most = float(self._decode_steps.max())
        while True:
            step = float(longest[batch - 1])
            delivered = self._delivered(most * step)
            if delivered >= batch:
                return step
            batch = delivered

    @cached_property
    def _decode_steps(self) -> Floats:
        """Steps that a request sees: its own, one to join, and those that it waits for a slot."""
        own: Floats = self.requests.output_tokens.astype(float) + 1
        slots = self.deployment.scenario.engine.decode.slots
        rounds = math.ceil(max(0, self.deployment.most - slots) / slots)
        seen: Floats = own + rounds * float(own.max())
        return seen

    def _delivered(self, seconds: float) -> int:
        """Most requests that can be handed over within so many seconds; all over shared links."""
        deployment, engine = self.deployment, self.deployment.scenario.engine
        if engine.handoff.link != "none":
            return deployment.most
        prompts = self.requests.input_tokens
        spread = deployment.handoff(int(prompts.max())) - deployment.handoff(int(prompts.min()))
        step = deployment.shortest_step(int(self.requests.computed.min()))
        ends = [int((seconds + spread) * speed / step) + 1 for speed in deployment.prefill_speeds]
        return sum(ends) * engine.prefill.batch_requests

    @cached_property
    def decode(self) -> Floats:
        """From the hand-off to the last token."""
        return self._decode_steps * self.step

    @cached_property
    def done(self) -> Floats:
        """From arrival to the last token."""
        return self.prefill + self.handoff + self.decode

    @cached_property
    def after_first_token(self) -> Floats:
        """From the first token to the last."""
        before_handoff = self.deployment.scenario.engine.first_token == "prefill"
        return self.decode + (self.handoff if before_handoff else 0.0)

    @cached_property
    def first_token(self) -> float:
        """From arrival to the first token."""
        defined = self.deployment.scenario.engine.first_token
        if defined == "prefill":
            return self.prefill
        if defined == "handoff":
            return self.prefill + self.handoff
        waits = self._decode_steps - self.requests.output_tokens + 1
        return self.prefill + self.handoff + float(waits.max()) * self.step
