"""Policies that look at the load of the workers and not at what they have cached."""

from collections.abc import Iterator, Sequence

from anarchy.serving.reference.router.policy import Policy, View, potential_blocks, register
from anarchy.serving.reference.router.sampled import CHOICES, Sampled


@register("join-shortest-queue")
class JoinShortestQueue(Policy):
    """cost_j = active_j, the requests placed there and not done.

    Source: Winston (1977), who proves it optimal for equal exponential servers.
    """

    def costs(self, view: View) -> list[float]:
        return [float(active) for active in view.active]


@register("power-of-two")
class PowerOfTwo(Sampled):
    """cost_j = active_j, of two different workers drawn at random only.

    Source: Mitzenmacher (2001); Vvedenskaya, Dobrushin and Karpelevich (1996).
    """

    def costs(self, view: View) -> list[float]:
        return [float(active) for active in view.active]

    def candidates(self, view: View, ties: Iterator[float]) -> Sequence[int]:
        workers = len(view.active)
        first = int(next(ties) * workers)
        if workers < CHOICES:
            return [first]
        second = int(next(ties) * (workers - 1))
        return [first, second + (second >= first)]


@register("least-kv")
class LeastKv(Policy):
    """cost_j = blocks of the requests placed there, the new one included.

    In the decode pool this is Dynamo's cost at overlap weight 0 (see `KvRouter`).
    """

    def costs(self, view: View) -> list[float]:
        return potential_blocks(view)
