"""Requests held over a short window and assigned together at least predicted total cost."""

from collections.abc import Sequence

import numpy as np

from anarchy.serving.log.request_log import Floats
from anarchy.serving.reference.router.policy import BatchPolicy, View, register
from anarchy.serving.reference.router.predictive import (
    LatencyAware,
    contexts,
    prompt_seconds,
    queue_seconds,
    token_seconds,
)


@register("batch-assignment")
class BatchAssignment(LatencyAware, BatchPolicy):
    """A minimum-cost assignment of the held requests to places on the workers.

    Prefill: a request that is k-th from last among those sent to worker j costs q_j + k * s_ij,
    the seconds queued there and k times its own, because k of them wait for it or are it. The
    assignment then minimises the sum of times to first token exactly when prompts are computed
    one by one, and longer prompts go last.
    Decode: the k-th request sent to j costs what it adds to load times latency there,
    (a + k) l(a + k) - (a + k - 1) l(a + k - 1), with l the ITL at the mean context of the
    requests placed on j. A sum of such places is a cost of loads only if they do not fall with k.

    Source: Horn (1973) and Bruno, Coffman and Sethi (1974) for the places from last.
    """

    def assign(self, views: Sequence[View]) -> list[tuple[int, int]]:
        # Importing it takes longer than many runs, and only this policy needs it.
        from scipy.optimize import linear_sum_assignment

        places = (prefill_places if views[0].pool == "prefill" else decode_places)(views)
        requests, workers, count = places.shape
        _, taken = linear_sum_assignment(places.reshape(requests, workers * count))
        order = sorted(range(requests), key=lambda request: (-(taken[request] % count), request))
        return [(request, int(taken[request]) // count) for request in order]


def prefill_places(views: Sequence[View]) -> Floats:
    """Costs, shape (requests, workers, places): place k is the (k + 1)-th from last."""
    first = views[0]
    queues = [
        queue_seconds(first.service, tokens, active)
        for tokens, active in zip(first.queued_tokens, first.active, strict=True)
    ]
    own = np.array(
        [[prompt_seconds(view, worker) for worker in range(len(queues))] for view in views]
    )
    times = np.arange(1, len(views) + 1)
    return np.array(queues)[None, :, None] + own[:, :, None] * times[None, None, :]


def decode_places(views: Sequence[View]) -> Floats:
    """Costs, shape (requests, workers, places): place k is that of the (k + 1)-th one added."""
    latency, slots = views[0].service, views[0].slots
    table = []
    for view in views:
        rows = []
        for worker, active in enumerate(view.active):
            context = contexts(view, worker)[1]
            totals = [
                load * token_seconds(latency, load, context, slots) if load else 0.0
                for load in range(active, active + len(views) + 1)
            ]
            rows.append(np.diff(totals))
        table.append(rows)
    return np.array(table)
