"""Conditional disaggregation: a decode worker that computes short prompts itself.

At the boundary at which such a prompt joins, the worker computes it, one prompt after another,
and nobody's decoding goes on meanwhile: prompts come first, as in engines that do not mix the two
in one step. There is no hand-off. Source: NVIDIA Dynamo's conditional disaggregation.
"""

from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.plain.decode import DecodeWorker

LOCAL = -1
"""The prefill worker of a prompt that its decode worker computes."""


class PrefillingDecodeWorker(DecodeWorker):
    """A decode worker to which prompts may come that nobody has computed."""

    __slots__ = ()

    def _admit(self, now: float) -> list[Request]:
        """Let waiting requests join and compute their prompts, which moves the boundary."""
        joined = super()._admit(now)
        local = [request for request in joined if request.prefill_worker == LOCAL]
        end = now
        for request in local:
            request.prefill_start = end
            cached = request.cached_tokens
            end += self._latency.prefill(request.input_tokens - cached, cached=cached)
            request.prefill_end = request.routed = end
        for request in local:
            request.decode_start = end
        self.busy += end - now
        self._boundary = end
        return joined
