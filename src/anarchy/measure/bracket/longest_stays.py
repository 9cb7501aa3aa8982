"""How long a request of a closed loop can be in the system, wherever it and all others go.

Queues are first come, first served, so at most the other C - 1 clients' requests are before it in
any of them. A batch cannot hold more than prefill can have delivered while its oldest member
decodes, so a bound of the time in decode bounds the batch, and this the time in decode again.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anarchy.measure.bracket.requests import Requests
from anarchy.measure.bracket.service_limits import ServiceLimits
from anarchy.serving.log.request_log import Floats


@dataclass(frozen=True)
class LongestStays:
    """Upper bounds in seconds, by request where that matters.

    `known_step` bounds a decode step, if that is known of a larger crowd: stays among the fewer
    clients of `limits` may have begun with more in decode, so nothing follows from their own.
    """

    requests: Requests
    limits: ServiceLimits
    known_step: float | None = None

    @cached_property
    def prefill(self) -> float:
        """From arrival to the end of prefill: the frontend and a step for each client."""
        scenario, clients = self.limits.scenario, self.limits.most
        tokens = int(self.requests.input_tokens.max())
        batches, frontend = scenario.engine.prefill, scenario.frontend
        largest = tokens if batches.batch_requests == 1 else max(tokens, batches.batch_tokens)
        step = self.limits.longest_step(largest, tokens)
        before = frontend.overhead * (clients if frontend.serial else 1)
        return before + clients * step / min(self.limits.prefill_speeds)

    @cached_property
    def handoff(self) -> float:
        """Of the hand-off: a link that is shared may carry all clients' prompts at once."""
        handoff = self.limits.scenario.engine.handoff
        alone = self.limits.handoff(int(self.requests.input_tokens.max()))
        shared = handoff.link != "none"
        return handoff.overhead + (alone - handoff.overhead) * (self.limits.most if shared else 1)

    @cached_property
    def step(self) -> float:
        """Of a decode step, whose batch is what prefill delivers within the longest stay."""
        if self.known_step is not None:
            return min(self.known_step, float(self._longest_steps[-1]))
        batch = self.limits.batch
        most = float(self._decode_steps.max())
        while True:
            step = float(self._longest_steps[batch - 1])
            delivered = self._delivered(most * step)
            if delivered >= batch:
                return step
            batch = delivered

    @cached_property
    def _longest_steps(self) -> Floats:
        """Of batches of at most 1, 2, ... sequences."""
        steps = self.limits.decode_steps(self.requests.context[1])
        longest: Floats = np.maximum.accumulate(steps) / min(self.limits.decode_speeds)
        return longest

    @cached_property
    def _decode_steps(self) -> Floats:
        """Steps that a request sees: its own, one to join, and those that it waits for a slot."""
        own: Floats = self.requests.output_tokens.astype(float) + 1
        slots = self.limits.scenario.engine.decode.slots
        rounds = math.ceil(max(0, self.limits.most - slots) / slots)
        seen: Floats = own + rounds * float(own.max())
        return seen

    def _delivered(self, seconds: float) -> int:
        """Most requests that can be handed over within so many seconds; all over shared links."""
        limits, engine = self.limits, self.limits.scenario.engine
        if engine.handoff.link != "none":
            return limits.most
        prompts = self.requests.input_tokens
        spread = limits.handoff(int(prompts.max())) - limits.handoff(int(prompts.min()))
        step = limits.shortest_step(int(self.requests.computed.min()))
        ends = [int((seconds + spread) * speed / step) + 1 for speed in limits.prefill_speeds]
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
        before_handoff = self.limits.scenario.engine.first_token == "prefill"
        return self.decode + (self.handoff if before_handoff else 0.0)

    @cached_property
    def first_token(self) -> float:
        """From arrival to the first token."""
        defined = self.limits.scenario.engine.first_token
        if defined == "prefill":
            return self.prefill
        if defined == "handoff":
            return self.prefill + self.handoff
        waits = self._decode_steps - self.requests.output_tokens + 1
        return self.prefill + self.handoff + float(waits.max()) * self.step
