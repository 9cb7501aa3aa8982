"""A knee map: the knee over a grid of assumptions, and which of them meet a published fact.

The search is declared before it is run. A combination of the study's axes is feasible when all its
scenarios have their knee in the published interval. Where the bounds of operational laws, widened
by a margin, keep the knee of one scenario outside, that decides; all else is simulated, and so is a
random share of what was decided. Nothing else is fitted.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from anarchy.config.experiment import OUTPUT_TOKENS, VARIANT, KneeMap, combinations
from anarchy.config.scenario import Scenario, ServedModel, get_field, with_fields
from anarchy.measure.knee.cycle import Cycle, cycle_of
from anarchy.measure.knee.simulated import simulated_knee, simulated_load
from anarchy.measure.measures import Deployment, get_measure
from anarchy.serving.log.request_log import Run
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import simulate

MOST_PARTS, FEWEST_IN_PART = 8, 100
"""Jobs of a study at most, and combinations of one at least, if there are as many."""

Row = dict[str, Any]
Values = Mapping[str, Any]
ServiceTimes = Callable[[ServedModel], Latency]


@dataclass(frozen=True)
class Case:
    """A scenario under a combination of a study's axes; `scenario` is made when it is needed."""

    scenario: Callable[[], Scenario]
    latency: Latency
    cycle: Cycle
    output_tokens: int


class Cases:
    """The cases of a study. The output tokens change nothing but themselves."""

    def __init__(
        self, study: KneeMap, scenarios: Mapping[str, Scenario], service_times: ServiceTimes
    ) -> None:
        """`service_times` gives those of a model."""
        self._study = study
        self._scenarios = scenarios
        self._service_times = service_times
        self._settings: dict[tuple[Any, ...], tuple[Scenario, Latency, Cycle]] = {}

    def case(self, name: str, values: Values) -> Case:
        """The case of the scenario `name`, a closed loop with one prefill worker."""
        others = {path: value for path, value in values.items() if path != OUTPUT_TOKENS}
        key = (name, *others.items())
        if key not in self._settings:
            scenario = with_fields(self._scenarios[name], self._study.fields(others), name)
            latency = self._service_times(scenario.model)
            cycle = cycle_of(scenario, latency)
            assert cycle is not None  # the plan has refused it otherwise
            self._settings[key] = scenario, latency, cycle
        scenario, latency, cycle = self._settings[key]
        tokens = values[OUTPUT_TOKENS]
        return Case(
            cache(lambda: with_fields(scenario, {OUTPUT_TOKENS: tokens}, name)),
            latency,
            cycle,
            tokens,
        )

    def are_used(self, values: Values) -> bool:
        """Whether all scenarios have these values of their own."""
        return all(
            get_field(scenario, path) == value
            for scenario in self._scenarios.values()
            for path, value in self._study.fields(values).items()
        )


class KneeSearch:
    """Decides combinations of a study's axes."""

    def __init__(self, study: KneeMap, cases: Cases, **options: Any) -> None:
        """`options` are those of `simulate`: requests, warmup_cycles, seed."""
        self._study = study
        self._cases = cases
        self._options = options
        self._known: dict[Cycle, tuple[float, float]] = {}
        self._loads = {fact.clients for fact in study.facts}

    def row(self, values: Values, audited: bool) -> Row:
        """The row of a combination, as `map_knees` describes it."""
        study = self._study
        cases = {name: self._cases.case(name, values) for name in study.scenarios}
        outside = {name: side for name, case in cases.items() if (side := self._side(case))}
        decider = next(iter(outside), None)
        row: Row = {
            **values,
            "decider": decider,
            "side": None if decider is None else outside[decider],
            "audit": None,
            "feasible": not outside and all(map(self._is_inside, cases.values())),
            "chosen": self._cases.are_used(values),
            "varied": self._cases.are_used({k: v for k, v in values.items() if k != VARIANT}),
        }
        if decider is not None and audited:
            row["audit"] = self._is_on(outside[decider], cases[decider])
        searched = row["feasible"] or row["varied"]
        for name, case in cases.items():
            found = self._found(case) if searched else dict.fromkeys(self._found_columns())
            row |= {f"{column}:{name}": value for column, value in found.items()}
        return row

    def _side(self, case: Case) -> str | None:
        """On which side of the published interval the bounds keep the knee; None if on neither."""
        longest_below, longest_inside = self._ends(case.cycle)
        if case.output_tokens > longest_inside:
            return "above"
        return "below" if case.output_tokens <= longest_below else None

    def _ends(self, cycle: Cycle) -> tuple[float, float]:
        """The longest outputs with which the knee has to be below, and may be inside."""
        if cycle not in self._known:
            study = self._study
            least, most = cycle.bracket(study.busy)
            self._known[cycle] = (
                most.longest(cycle, study.above / (1 + study.margin)),
                least.longest(cycle, study.upto / (1 - study.margin)),
            )
        return self._known[cycle]

    def _found_columns(self) -> list[str]:
        facts = (f"fact:{number}" for number in range(len(self._study.facts)))
        return ["least", "most", "bound", "knee", *facts]

    def _found(self, case: Case) -> Row:
        """Where the knee of a case is, and what it says of the published facts."""
        elsewhere = case.cycle.elsewhere(case.output_tokens)
        least, most = case.cycle.bracket(self._study.busy)
        found: list[Any] = [line.at(elsewhere) for line in (least, most, case.cycle.crossing)]
        found += [self._knee(case), *self._facts(case)]
        return dict(zip(self._found_columns(), found, strict=True))

    def _is_on(self, side: str, case: Case) -> bool:
        """Whether a run has the knee on a side of the published interval."""
        if side == "above":
            return not self._is_full(case, self._study.upto)
        return self._is_full(case, self._study.above)

    def _is_inside(self, case: Case) -> bool:
        """Whether all runs have the knee in the published interval."""
        above, upto = self._study.above, self._study.upto
        return all(
            self._is_full(case, upto, number) and not self._is_full(case, above, number)
            for number in range(self._study.replications)
        )

    def _is_full(self, case: Case, clients: float, replication: int = 0) -> bool:
        """Whether so many clients load the bottleneck to its capacity."""
        load = simulated_load(
            case.scenario(), case.latency, int(clients), replication=replication, **self._options
        )
        return load >= self._study.busy

    def _knee(self, case: Case) -> int | None:
        """The knee with the first of the study's seeds, that in the published interval if any."""
        return simulated_knee(
            case.scenario(),
            case.latency,
            busy=self._study.busy,
            largest=self._study.largest,
            guess=int(self._study.upto),
            **self._options,
        )

    def _facts(self, case: Case) -> list[float | None]:
        """The measure of each published fact at its load, of a run with the same seed."""
        runs = {clients: self._run(case, clients) for clients in self._loads}
        deployment = Deployment(case.latency.itl)
        measures = [get_measure(fact.measure, self._study.estimators) for fact in self._study.facts]
        return [
            measure.compute(runs[fact.clients], deployment)
            for measure, fact in zip(measures, self._study.facts, strict=True)
        ]

    def _run(self, case: Case, clients: int) -> Run:
        scenario = with_fields(case.scenario(), {"workload.clients": clients}, "fact")
        return simulate(scenario, case.latency, **self._options)


def count_parts(study: KneeMap) -> int:
    """The shares in which a study's combinations are decided; each takes every so manieth."""
    count = math.prod(map(len, study.every_axis.values()))
    return max(1, min(MOST_PARTS, count // FEWEST_IN_PART))


def map_knees(
    study: KneeMap,
    scenarios: Mapping[str, Scenario],
    service_times: ServiceTimes,
    part: int,
    *,
    requests: int,
    warmup_cycles: float,
    seed: int,
) -> list[Row]:
    """One row per combination of the axes, for one of `count_parts` shares of them.

    Columns: the combination; `decider`, the first scenario whose bounds decided against it, and
    `side`, where they keep its knee, above or below, both null where it was simulated; `audit`,
    whether a run confirms the bounds, null where none was asked; `feasible`, whether all knees are
    in the published interval in all runs; `chosen`, whether the scenarios use it; `varied`, whether
    they do but for its variant. For feasible and varied ones and each scenario, else null:
    `least:<name>` and `most:<name>`, the bounds on its knee;
    `bound:<name>`, N*; `knee:<name>` and `fact:<number>:<name>`, the knee and the measure of a
    published fact with the first seed.
    """
    search = KneeSearch(
        study,
        Cases(study, scenarios, service_times),
        requests=requests,
        warmup_cycles=warmup_cycles,
        seed=seed,
    )
    chosen = combinations(study.every_axis)
    audited = np.random.default_rng([seed, *b"audit"]).random(len(chosen)) < study.audit
    numbers = range(part, len(chosen), count_parts(study))
    return [search.row(chosen[number], bool(audited[number])) for number in numbers]
