"""The systems with paged memory whose workers come and go.

A computed prompt holds its blocks on the prefill worker until decode has taken it over, at the end
of a step, and blocks reserved on the decode worker from before its transfer on. So either worker
may fail under it: the request begins anew, its transfer is given up, and the other worker has its
blocks back at once. With a failed worker all its blocks go, those that were cached included; what
a preempted request had made goes with them. A prefill worker that leaves waits until decode has
taken over all it has computed.

Failures and decisions of the planner come last of all that happens at one instant (see `instant`),
so that no action is under way for a request that they touch.
"""

from collections import defaultdict
from functools import partial
from typing import Any

from anarchy.config.scenario import Scenario
from anarchy.serving.event_order import SETTLE_ARRIVALS, TRANSFER_END
from anarchy.serving.reference.core.request import Request
from anarchy.serving.reference.elastic.autoscaled import PlannedSystem
from anarchy.serving.reference.elastic.failures import NOWHERE, Alarm, ElasticSystem
from anarchy.serving.reference.elastic.worker_pool import PoolLeg
from anarchy.serving.reference.paged.system import PagedSystem
from anarchy.serving.service_times.lookup import Latency


class PagedElasticSystem(ElasticSystem, PagedSystem):
    """One run of a scenario with `outages` and `engine.memory.paged`."""

    _alarm_priority = SETTLE_ARRIVALS + 1

    def __init__(self, scenario: Scenario, latency: Latency, *arguments: Any) -> None:
        """Arguments as those of `System`."""
        self._travelling: dict[Request, Alarm] = {}  # KV on its way, and the alarm of its arrival
        super().__init__(scenario, latency, *arguments)

    def _travel(self, request: Request, end: float) -> None:
        action = partial(self._transfer_ended, request)
        self._travelling[request] = Alarm(self.clock, end, action, TRANSFER_END)

    def _transfer_ended(self, request: Request) -> None:
        del self._travelling[request]
        super()._transfer_ended(request)

    def _release(self, request: Request) -> None:
        super()._release(request)
        self._leave("prefill", request.prefill_worker, request)

    def _give_up_transfer(self, request: Request) -> None:
        alarm = self._travelling.pop(request, None)
        if alarm is not None:
            alarm.cancel()

    def _lose_prefill(self, place: int, lost: list[Request]) -> None:
        abandoned: dict[int, list[Request]] = defaultdict(list)  # by decode worker
        for request in lost:
            worker = request.decode_worker
            if request.prefill_end > self.clock.now:
                self._prefill_state.ended(request, place)
            elif worker == NOWHERE:
                assert isinstance(self._decode_leg, PoolLeg)
                self._decode_leg.withdraw(request)
            else:
                self._give_up_transfer(request)
                self._decode_state.ended(request, worker)
                self._leave("decode", worker, request)
                abandoned[worker].append(request)
        # All at once, because a worker gives the room of one to the next that waits for it.
        for worker, requests in abandoned.items():
            self._decode[worker].abandon(requests)

    def _lose_decode(self, place: int, lost: list[Request]) -> None:
        for request in lost:
            self._decode_state.ended(request, place)
            self._give_up_transfer(request)
            worker = request.prefill_worker
            if request.source:
                self._prefill[worker].abandon(request)
            if request in self._pools["prefill"].requests[worker]:
                self._leave("prefill", worker, request)

    def _begin_anew(self, request: Request) -> None:
        whole = request.input_tokens // self._block_tokens
        request.blocks = request.blocks[:whole]  # the rest names output, which is lost
        self._instant.later(self._place_again, request, SETTLE_ARRIVALS)

    def _place_again(self, request: Request) -> None:
        self._route_prefill(request)
        self._arrived.pop()  # the log has it where it arrived first


class PagedPlannedSystem(PlannedSystem, PagedElasticSystem):
    """One run of a scenario whose `planner` has a rule, with `engine.memory.paged`."""
