"""Policies that look at no worker: what any other one has to beat."""

from collections.abc import Iterator

from anarchy.serving.reference.router.policy import Policy, View, register


@register("random")
class Random(Policy):
    """A uniform draw; it reports zeros."""

    def costs(self, view: View) -> list[float]:
        return [0.0] * len(view.active)

    def choose(
        self, view: View, costs: list[float], ties: Iterator[float], softmax: Iterator[float]
    ) -> int:
        return int(next(ties) * len(costs))
