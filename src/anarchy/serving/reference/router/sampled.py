"""Choice among a few candidates instead of all workers."""

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence

from anarchy.serving.reference.router.policy import Policy, View, softmax_choice

CHOICES = 2
"""Candidates of a request: one more than none makes the difference (Mitzenmacher 2001)."""


class Sampled(Policy):
    """A policy that looks at a few candidates only; `costs` still prices all, for the log."""

    @abstractmethod
    def candidates(self, view: View, ties: Iterator[float]) -> Sequence[int]:
        """The workers that may be taken, each once."""

    def choose(
        self, view: View, costs: list[float], ties: Iterator[float], softmax: Iterator[float]
    ) -> int:
        found = self.candidates(view, ties)
        if self.parameters.temperature > 0:
            place = softmax_choice(
                [costs[worker] for worker in found],
                self.parameters.temperature,
                self.parameters.normalise,
                next(softmax),
            )
            return found[place]
        allowed = [cost if worker in found else math.inf for worker, cost in enumerate(costs)]
        return super().choose(view, allowed, ties, softmax)
