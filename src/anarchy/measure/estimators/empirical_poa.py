"""PoA-hat: the cost of the actual routing over that of a minimum-cost assignment.

The source defines the index in one sentence: the cost of the routing that happened over the cost
of a Hungarian assignment on a matrix whose latencies are frozen. It leaves open what the entries
are, when they are frozen, over which window requests are matched, how n requests fit on m < n
workers, and how windows are put together. Each of these is a registered choice, a small function
of the module that is called like it (`windows`, `entries`, `matchings`, `numerators`,
`aggregations`); `anarchy.config.estimator.Estimator` names one of each, and none of its defaults
is known to be the source's. For equal requests the rectangular matching gives about n / m whatever
the router does: the suspected artefact of the source.

A worker that was out of service at a request's own decision, where its cost in the log is
infinite, is not available to that request: its entry is infinite whatever the freezing, and no
matching uses it. A window of which a request took a worker with an infinite entry is left out; it
takes router-cost and window-start, when the worker was out of service at the window's first
decision and back at the request's.

With balanced and frozen the ratio is at least 1 if no worker got more than ceil(n / m) of the
window's requests, and can be below 1 otherwise. With what happened as numerator it bounds the
price of anarchy neither from above nor from below, because numerator and denominator see different
loads.

A *neutral control* is the value that the same matrices give to a choice that knows nothing: a
worker at random, or workers in turn. It is None where the numerator is what happened, because
what would have happened is not in the log.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from anarchy.common.errors import InputError
from anarchy.config.estimator import Estimator
from anarchy.measure.estimators.aggregations import AGGREGATIONS
from anarchy.measure.estimators.entries import ENTRIES, SECONDS
from anarchy.measure.estimators.matchings import MATCHINGS, PLACES, taken_places
from anarchy.measure.estimators.numerators import NUMERATORS, chosen_entries
from anarchy.measure.estimators.observed import Itl, Observed
from anarchy.measure.estimators.windows import WINDOWS
from anarchy.serving.log.request_log import Floats, Ints, Run

MOST_PLACES = 1 << 24
"""Entries of the matrices of one window of matching `places`: 1,000 requests on 16 workers."""

T = TypeVar("T")

Choice = Callable[[Ints], Ints]
"""The worker of every request of windows x n rows."""


@dataclass(frozen=True)
class WindowCosts:
    """Per window: the cost of the actual routing, of the assignment, and the requests in it.

    Windows of equal length are in order of time, shorter ones before longer ones.
    """

    actual: Floats
    optimal: Floats
    requests: Floats


@dataclass(frozen=True)
class Report:
    """The index of one run by one estimator; None where it is undefined.

    n         mean requests of a window
    m         decode workers
    windows   windows that enter
    random, round_robin   what the neutral controls get
    """

    value: float | None
    n: float
    m: int
    windows: int
    random: float | None
    round_robin: float | None

    @property
    def per_worker(self) -> float:
        """n / m."""
        return self.n / self.m


class Indices:
    """The indices of one run; windows, matrices and optima that estimators share are made once."""

    def __init__(self, run: Run, itl: Itl | None) -> None:
        """`itl` is the engine's; without it entries that predict decode are refused."""
        self._observed = Observed(run, itl)
        self._known: dict[Hashable, Any] = {}

    def report(self, options: Estimator) -> Report:
        """The index by one estimator, with what it rests on and its neutral controls."""
        costs = self.costs(options)
        return Report(
            value=_aggregated(options, costs.actual, costs.optimal),
            n=float(costs.requests.mean()) if len(costs.requests) else 0.0,
            m=self._observed.workers,
            windows=len(costs.optimal),
            random=self._control(options, self._random),
            round_robin=self._control(options, self._in_turn),
        )

    def costs(self, options: Estimator) -> WindowCosts:
        """Both costs of every window, in seconds or in the router's unit.

        A window whose routing has no finite frozen cost is left out. Raises InputError for
        options that contradict each other and for a log whose costs are no numbers.
        """
        check_estimator(options)
        sizes = [np.full(len(rows), float(rows.shape[1])) for rows, _ in self._matrices(options)]
        return WindowCosts(self._paid(options), self._optima(options), _joined(sizes))

    def _control(self, options: Estimator, choice: Choice) -> float | None:
        if options.numerator != "frozen":
            return None
        actual = self._chosen(options, choice)
        known = np.isfinite(actual)
        return _aggregated(options, actual[known], self._optima(options)[known])

    def _paid(self, options: Estimator) -> Floats:
        """The cost of the actual routing of each window."""
        seconds = NUMERATORS[options.numerator](self._observed.log)
        if seconds is None:
            return self._chosen(options, self._actual)
        return _joined([seconds[rows].sum(axis=1) for rows, _ in self._matrices(options)])

    def _chosen(self, options: Estimator, choice: Choice) -> Floats:
        """The frozen cost of a choice, for each window."""

        def sums() -> Floats:
            windows = self._matrices(options)
            return _joined([self._taken(options, choice, *w).sum(axis=1) for w in windows])

        return self._once((*_frame(options), choice.__name__), sums)

    def _taken(self, options: Estimator, choice: Choice, rows: Ints, matrices: Floats) -> Floats:
        """The entries of a choice, windows x n."""
        workers = choice(rows)
        if options.matching != PLACES:
            return chosen_entries(matrices, workers)
        places = matrices.shape[-1]
        columns = workers * places + taken_places(workers, self._observed.workers)
        return chosen_entries(matrices.reshape(*rows.shape, -1), columns)

    def _actual(self, rows: Ints) -> Ints:
        return self._observed.log.decode_worker[rows]

    def _random(self, rows: Ints) -> Ints:
        rng = np.random.default_rng(0)
        return rng.integers(self._observed.workers, size=rows.shape)

    def _in_turn(self, rows: Ints) -> Ints:
        return np.broadcast_to(np.arange(rows.shape[1]) % self._observed.workers, rows.shape)

    def _windows(self, options: Estimator) -> list[Ints]:
        """Windows of equal length stacked: one array, windows x n, for each length."""
        key = (options.windowing, options.window, options.seconds)

        def stacked() -> list[Ints]:
            windows = WINDOWS[options.windowing](self._observed, options)
            lengths = sorted({len(rows) for rows in windows})
            return [np.stack([w for w in windows if len(w) == length]) for length in lengths]

        return self._once(key, stacked)

    def _matrices(self, options: Estimator) -> list[tuple[Ints, Floats]]:
        """The windows of each length with their matrices, where the routing has a finite cost."""
        places = options.matching == PLACES
        build = self._place_entries if places else self._entries

        def finite() -> list[tuple[Ints, Floats]]:
            found = []
            for rows in self._windows(options):
                matrices = build(options, rows)
                taken = self._taken(options, self._actual, rows, matrices)
                known = np.isfinite(taken).all(axis=1)
                found.append((rows[known], matrices[known]))
            return found

        return self._once((*_frame(options), "matrices"), finite)

    def _optima(self, options: Estimator) -> Floats:
        """The least cost of each window."""
        optimum = MATCHINGS[options.matching]

        def least() -> Floats:
            return _joined([optimum(matrices) for _, matrices in self._matrices(options)])

        return self._once((*_frame(options), options.matching), least)

    def _entries(self, options: Estimator, rows: Ints) -> Floats:
        """Windows x n x m; infinite where a worker is not available."""
        entries = ENTRIES[options.entry].compute(self._observed, rows, moment_of(options))
        if np.isnan(entries).any() or np.isneginf(entries).any():
            raise InputError(f"estimator entry '{options.entry}': the log's costs are no numbers")
        return np.where(self._observed.available[rows], entries, np.inf)

    def _place_entries(self, options: Estimator, rows: Ints) -> Floats:
        """Windows x n x m x n, the last axis being the places of a worker."""
        n = rows.shape[1]
        if n * n * self._observed.workers > MOST_PLACES:
            raise InputError(
                f"matching 'places': a window of {n} requests on {self._observed.workers} workers "
                f"is too large; allowed: {MOST_PLACES} entries"
            )
        places = ENTRIES[options.entry].places
        assert places is not None  # check_estimator refuses such entries
        entries = places(self._observed, rows, moment_of(options), np.arange(1, n + 1))
        return np.where(self._observed.available[rows][..., None], entries, np.inf)

    def _once(self, key: Hashable, make: Callable[[], T]) -> T:
        if key not in self._known:
            self._known[key] = make()
        known: T = self._known[key]
        return known


def poa_hat(run: Run, options: Estimator, itl: Itl) -> float | None:
    """The index (eq:poahat) over the measured requests of a run; None where it is undefined.

    Raises InputError for options that contradict each other and for a log whose costs are no
    numbers.
    """
    costs = window_costs(run, options, itl)
    return _aggregated(options, costs.actual, costs.optimal)


def window_costs(run: Run, options: Estimator, itl: Itl) -> WindowCosts:
    """Both costs of each window, as `Indices.costs` has them."""
    return Indices(run, itl).costs(options)


def check_estimator(options: Estimator) -> None:
    """Raise InputError for names that nobody knows and for options that cannot be combined."""
    WINDOWS.find(options.windowing, "windowing")
    MATCHINGS.find(options.matching, "matching")
    NUMERATORS.find(options.numerator, "numerator")
    AGGREGATIONS.find(options.aggregation, "aggregation")
    entry = ENTRIES.find(options.entry, "entry")
    if options.freezing is not None and options.freezing not in entry.moments:
        raise InputError(
            f"freezing '{options.freezing}' is undefined for entry '{options.entry}'; allowed: "
            f"{', '.join(sorted(entry.moments)) or 'null'}"
        )
    if options.numerator != "frozen" and entry.unit != SECONDS:
        raise InputError(
            f"numerator '{options.numerator}' is in seconds and entry '{options.entry}' is not; "
            "allowed: frozen"
        )
    if options.matching == PLACES and entry.places is None:
        allowed = ", ".join(name for name, entry in ENTRIES.items() if entry.places is not None)
        raise InputError(
            f"matching 'places' needs an entry that depends on load, '{options.entry}' does not; "
            f"allowed: {allowed}"
        )
    if options.matching == "perfect" and options.windowing != "one-per-worker":
        raise InputError(
            f"matching 'perfect' needs as many requests as workers, windowing "
            f"'{options.windowing}' has others; allowed: one-per-worker"
        )


def _frame(options: Estimator) -> tuple[Hashable, ...]:
    """What a matrix depends on."""
    window = (options.windowing, options.window, options.seconds)
    return (*window, options.entry, moment_of(options), options.matching == PLACES)


def moment_of(options: Estimator) -> str:
    """The moment that the entries are frozen at; empty if the entry has no say."""
    return options.freezing or next(iter(ENTRIES[options.entry].moments), "")


def _aggregated(options: Estimator, actual: Floats, optimal: Floats) -> float | None:
    return AGGREGATIONS[options.aggregation](actual, optimal)


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0)
