"""Which workers are in service: the part of the system that may take some away and add others."""

from collections.abc import Mapping
from typing import Any

from anarchy.config.scenario import Scenario
from anarchy.serving.reference.core.event_queue import EventQueue
from anarchy.serving.reference.core.request import PoolName, Request
from anarchy.serving.reference.elastic.worker_pool import Pool
from anarchy.serving.reference.plain.engine import Engine
from anarchy.serving.reference.router.dispatch import Dispatcher


class Capacity:
    """All workers serve for the whole run.

    `scenario` has a topology with a place for every worker that there may be. `pools` is there
    where workers may come and go.
    """

    pools: Mapping[PoolName, Pool] | None = None

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def attach(
        self, events: EventQueue, engine: Engine, dispatchers: Mapping[PoolName, Dispatcher]
    ) -> None:
        """Be told of the other parts of the system."""

    def start(self) -> None:
        """The run begins."""

    def arrived(self) -> None:
        """A request has arrived."""

    def placed(self, pool: PoolName, place: int, request: Request) -> None:
        """A router has chosen the worker at a place."""

    def left(self, pool: PoolName, place: int, request: Request) -> None:
        """The worker there has nothing of the request any more."""

    def done(self, request: Request) -> None:
        """A request is done."""

    def history(self) -> dict[str, Any]:
        """The fields of `Run` that say what has become of the workers."""
        return {}
