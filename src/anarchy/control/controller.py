"""The adaptive controller: for each regime one temperature and one overlap weight, nothing else."""

from dataclasses import dataclass

from anarchy.config.router import Controller as Settings
from anarchy.config.router import Override
from anarchy.control.detector import Detector, Regime
from anarchy.control.window import Samples, TtftWindow


@dataclass(frozen=True)
class Decision:
    """What one poll has led to.

    `p99` and `average` are seconds, None if there was no sample, or none so far. `override` is
    what the router is to be told from now on, unless this is a dry run.
    """

    time: float
    p99: float | None
    average: float | None
    regime: Regime
    switched: bool
    override: Override
    reason: str


class Controller:
    """Turns tails of TTFT into overrides of the router's parameters."""

    def __init__(self, settings: Settings, unloaded: float) -> None:
        """`unloaded` is the TTFT of a request that is alone, seconds."""
        self.settings = settings
        self._detector = Detector(settings, unloaded)

    @property
    def override(self) -> Override:
        """What the router is to be told by now, if this is no dry run."""
        override: Override = getattr(self.settings.regimes, self._detector.regime)
        return override

    def observe(self, time: float, p99: float | None) -> Decision:
        """Decide at `time` on the tail of TTFT, both in seconds; None or NaN: no sample."""
        verdict = self._detector.poll(time, p99)
        return Decision(
            time=time,
            p99=p99,
            average=verdict.average,
            regime=verdict.regime,
            switched=verdict.switched,
            override=self.override,
            reason=verdict.reason,
        )


class ControlLoop:
    """A controller on a simulator's clock: polls at whole multiples of the interval from 0."""

    def __init__(self, settings: Settings, unloaded: float) -> None:
        self.settings = settings
        self._controller = Controller(settings, unloaded)
        self._window = TtftWindow(settings)
        self.decisions: list[Decision] = []

    @property
    def start(self) -> Override:
        """What the router is told before any poll, if this is no dry run."""
        return self.settings.regimes.below

    @property
    def next_poll(self) -> float:
        """When it wants to look next, seconds."""
        return (len(self.decisions) + 1) * self.settings.interval

    def poll(self, first_tokens: Samples, ttfts: Samples) -> Override | None:
        """Look and decide, given the times and TTFTs of the first tokens since the last poll.

        The override is what a switch asks of the router; None: leave it as it is.
        """
        now = self.next_poll
        p99 = self._window.p99(now, first_tokens, ttfts)
        decision = self._controller.observe(now, p99)
        self.decisions.append(decision)
        return decision.override if decision.switched and not self.settings.dry_run else None
