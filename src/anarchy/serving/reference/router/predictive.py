"""Policies that predict seconds from the service times of a worker.

Predictions read the table of the simulated worker, so they err in what the router does not know
(what comes later, how much of a step is done), not in the model of the machine.
"""

from collections.abc import Callable, Sequence
from heapq import heapify, heapreplace

from anarchy.serving.reference.router.policy import Policy, View, register
from anarchy.serving.service_times.lookup import Latency


def queue_seconds(latency: Latency, tokens: int, prompts: int) -> float:
    """Seconds until a prefill worker has computed `tokens` tokens of `prompts` equal prompts, one
    after the other."""
    return prompts * latency.prefill(tokens // prompts) if prompts else 0.0


def prompt_seconds(view: View, worker: int) -> float:
    """Seconds of prefill that the request itself takes on a worker."""
    cached = min(view.overlaps[worker] * view.block_tokens, view.input_tokens - 1)
    return view.service.prefill(view.input_tokens - cached, cached=cached)


def times_to_first_token(view: View) -> list[float]:
    """Seconds until each prefill worker would be done with the request."""
    return [
        queue_seconds(view.service, tokens, view.active[worker]) + prompt_seconds(view, worker)
        for worker, tokens in enumerate(view.queued_tokens)
    ]


def token_seconds(latency: Latency, requests: int, context: float, slots: int) -> float:
    """Seconds per output token of each of `requests` on one decode worker.

    Above `slots` they take turns, so that each waits for its share of the full batch's steps.
    """
    if requests <= slots:
        return latency.itl(requests, context)
    return latency.itl(slots, context) * requests / slots


def by_speed(view: View, seconds: list[float]) -> list[float]:
    """Predictions for workers of the speeds that the router knows."""
    if view.speeds is None:
        return seconds
    return [time / speed for time, speed in zip(seconds, view.speeds, strict=True)]


def contexts(view: View, worker: int) -> tuple[float, float]:
    """Mean context in tokens on a decode worker without and with the request."""
    active = view.active[worker]
    held = view.active_blocks[worker] * view.block_tokens
    return held / max(1, active), (held + view.input_tokens) / (active + 1)


def marginal_cost(latency: Callable[[int], float], load: int) -> float:
    """What one more request adds to load times latency when it joins `load` others.

    Its own latency l(load + 1) plus the toll load * (l(load + 1) - l(load)): the load times the
    derivative of the latency, in whole requests. Source: Pigou (1920); Beckmann, McGuire and
    Winsten (1956).
    """
    own = latency(load + 1)
    return own + load * (own - latency(load)) if load else own


@register("latency-aware")
class LatencyAware(Policy):
    """Prefill: predicted TTFT, the seconds of the prompts queued there and of the request's own.
    Decode: predicted ITL of the batch with the request, at its mean context.

    With `crowding` theta both are multiplied by (active + 1)^theta. On servers whose predicted time
    is (active + 1)/mu, theta = 1 charges a request what it costs the others if there are many small
    ones; see the paper's proposition on the toll.

    Source: the predicted-latency scheduling of the Gateway API Inference Extension and llm-d,
    which learn both predictions from traffic.
    """

    def costs(self, view: View) -> list[float]:
        seconds = by_speed(view, self._seconds(view))
        theta = self.parameters.crowding
        if theta == 0:
            return seconds
        crowds = [float(requests + 1) ** theta for requests in view.active]
        return [time * crowd for time, crowd in zip(seconds, crowds, strict=True)]

    def _seconds(self, view: View) -> list[float]:
        if view.pool == "prefill":
            return times_to_first_token(view)
        return [
            token_seconds(view.service, requests + 1, contexts(view, worker)[1], view.slots)
            for worker, requests in enumerate(view.active)
        ]


@register("toll")
class Toll(Policy):
    """The predictions of latency-aware plus what the request costs the others: load * derivative.

    Decode: `marginal_cost` of the ITL. Prefill: TTFT + active * own prefill seconds, the latency
    of x equal prompts being x times theirs.

    If all choose by it, the optimum of the sum of latencies is an equilibrium, and the only cost
    of an equilibrium if marginal costs do not fall and requests are alike (Beckmann et al. 1956).
    In a first-come-first-served queue with arrivals at a share rho of its capacity the expected
    delay of later ones is (active + 1) * rho / (1 - rho) times the prefill seconds; a router that
    sees loads only does not know rho, and this toll has instead the number that Little's law
    gives for the request's own stay.
    """

    def costs(self, view: View) -> list[float]:
        latency, slots = view.service, view.slots
        costs = []
        for worker, load in enumerate(view.active):
            if view.pool == "prefill":
                own = prompt_seconds(view, worker)
                queue = queue_seconds(latency, view.queued_tokens[worker], load)
                costs.append(queue + own + load * own)
                continue
            context = contexts(view, worker)

            def itl(requests: int, load: int = load, context: Sequence[float] = context) -> float:
                return token_seconds(latency, requests, context[requests > load], slots)

            costs.append(marginal_cost(itl, load))
        return by_speed(view, costs)


@register("clairvoyant")
class Clairvoyant(Policy):
    """Decode: seconds until the request's last token if nothing else arrives, all lengths known.
    Prefill: as latency-aware, because the lengths of prompts are no secret.

    It looks at the workers themselves, whatever the router has heard, and takes care of nobody
    else: a bound on what knowing the lengths is worth to a selfish request.
    """

    def costs(self, view: View) -> list[float]:
        if view.pool == "prefill":
            return times_to_first_token(view)
        own = (view.output_tokens, view.input_tokens)
        return [
            decode_seconds(view.service, [*others, own], view.slots) for others in view.outputs()
        ]


def decode_seconds(latency: Latency, requests: Sequence[tuple[int, int]], slots: int) -> float:
    """Seconds until the last of `requests` on one decode worker is done.

    Each is (output tokens left, tokens of context), in order of admission; those beyond `slots`
    join as others end. In steps the schedule does not depend on how long steps take, so it comes
    first; each stretch of steps of one batch then takes its ITL at the mean context.
    """
    ends = [left for left, _ in requests[:slots]]
    spans = [(0, end, context) for end, (_, context) in zip(ends, requests, strict=False)]
    heapify(ends)
    for left, context in requests[slots:]:
        joined = ends[0]
        heapreplace(ends, joined + left)
        spans.append((joined, joined + left, context))
    # Step of a change, sequences more, and what they add to the sum of contexts less steps.
    changes = [(joined, 1, context - joined) for joined, _, context in spans]
    changes += [(end, -1, joined - context) for joined, end, context in spans]
    changes.sort()
    last = spans[-1][1]
    seconds, batch, offset, before = 0.0, 0, 0, 0
    for step, more, added in changes:
        if step > last:
            break
        if step > before:
            middle = offset / batch + (before + step - 1) / 2
            seconds += (step - before) * latency.itl(batch, middle)
            before = step
        batch += more
        offset += added
    return seconds
