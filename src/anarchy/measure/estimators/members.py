"""A study's family of estimators, and the runs that all of them are measured on.

A run is simulated once and measured by every member. Runs whose logs are equal, as those that
differ in a parameter that reaches no decision, are measured once as well.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from anarchy.common.errors import InputError, faults_in
from anarchy.config.base import Scalar
from anarchy.config.estimator import Estimator, EstimatorStudy, Family
from anarchy.config.experiment import combinations
from anarchy.config.scenario import Scenario, with_fields
from anarchy.measure.bracket.run_bracket import bracket
from anarchy.measure.bracket.schedules.search import schedules
from anarchy.measure.estimators.empirical_poa import (
    Indices,
    Report,
    check_estimator,
    moment_of,
)
from anarchy.serving.log.request_log import Floats, RequestLog, Run
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import Options, simulate

LOADS, SETTING, VARIANT, SYSTEM = "load", "setting", "variant", "system"

REPORTED = ("value", "n", "per_worker", "random", "round_robin")
"""What is kept of a report."""

LOSSES = ("e2e-mean:lo", "e2e-mean:hi", "ttft-mean:lo", "ttft-mean:hi")
"""What the whole run lost at least and at most, by criterion."""

COLUMNS = (*REPORTED, "e2e", *LOSSES)
"""With the run's mean end-to-end latency and its losses, which all members share."""

TIMES = ("arrival", "prefill_start", "prefill_end", "routed", "first_token", "decode_start", "done")

READ = (
    *TIMES,
    "prefill_worker",
    "decode_worker",
    "input_tokens",
    "output_tokens",
    "decode_cost",
    "decode_active",
)
"""The columns of a log that estimators read."""


@dataclass(frozen=True)
class Cell:
    """One run of a scenario: the fields that differ from it, and what the run is for."""

    kind: str
    name: str
    clients: int
    fields: dict[str, Scalar] = field(default_factory=dict)

    @property
    def set_fields(self) -> dict[str, Any]:
        """All fields of the scenario that the run sets."""
        return {"workload.clients": self.clients, **self.fields}


def members(study: EstimatorStudy) -> dict[str, Estimator]:
    """The estimators of all families by name; combinations that make no sense are left out."""
    found = {}
    for family in study.families:
        for options in _combined(family):
            if _makes_sense(options):
                found[name_of(options)] = options
    return found


def check_families(study: EstimatorStudy) -> None:
    """Refuse a family of which a choice makes no sense with any of the others."""
    for number, family in enumerate(study.families, start=1):
        with faults_in(f"families: entry {number}"):
            options = list(_combined(family))
            sensible = list(filter(_makes_sense, options))
            if not sensible:
                check_estimator(options[0])
            for choice in ("windowing", "entry", "numerator", "matching", "aggregation"):
                _check_choice(options, sensible, choice)


def _check_choice(options: Sequence[Estimator], sensible: Sequence[Estimator], choice: str) -> None:
    used = {getattr(o, choice) for o in sensible}
    for member in options:
        if getattr(member, choice) not in used:
            check_estimator(member)


def _combined(family: Family) -> Sequence[Estimator]:
    choices = (family.windows, family.entries, family.numerators, family.matchings)
    return [
        Estimator(
            **window.model_dump(),
            **entry.model_dump(),
            numerator=numerator,
            matching=matching,
            aggregation=aggregation,
        )
        for window, entry, numerator, matching, aggregation in product(
            *choices, family.aggregations
        )
    ]


def _makes_sense(options: Estimator) -> bool:
    try:
        check_estimator(options)
    except InputError:
        return False
    return True


def name_of(options: Estimator) -> str:
    """The choices of an estimator, from the window to the aggregation."""
    choices = (options.numerator, options.matching, options.aggregation)
    return "/".join([window_name(options), entry_name(options), *choices])


def window_name(options: Estimator) -> str:
    """The window in a word: last-n-36, time-5s, in-flight-5s."""
    parts = [options.windowing]
    if options.windowing.startswith("last-n"):
        parts.append(str(options.window))
    if options.windowing not in ("last-n", "one-per-worker"):
        parts.append(f"{options.seconds:g}s")
    return "-".join(parts)


def entry_name(options: Estimator) -> str:
    """The entry and the moment that it is frozen at: e2e@idle."""
    moment = moment_of(options)
    return f"{options.entry}@{moment}" if moment else options.entry


def cells(study: EstimatorStudy) -> list[Cell]:
    """The runs of a scenario: all loads, settings and variants at two of them, systems at one."""
    found = [Cell(LOADS, "scenario", load) for load in study.clients]
    for load in (study.plateau, study.deep):
        for fields in combinations(study.settings):
            name = ", ".join(f"{path}={value}" for path, value in fields.items())
            found.append(Cell(SETTING, name, load, fields))
        for name, fields in study.variants.items():
            found.append(Cell(VARIANT, name, load, dict(fields)))
    for name, fields in study.systems.items():
        found.append(Cell(SYSTEM, name, study.plateau, dict(fields)))
    return found


def measure_family(
    study: EstimatorStudy,
    scenario: Scenario,
    latency: Latency,
    *,
    seed: int,
    replication: int,
    requests: int,
    warmup_cycles: float,
) -> Floats:
    """Every member on every cell: array cells x members x `COLUMNS`; nan where undefined."""
    family = list(members(study).values())
    options: Options = {"replication": replication, "requests": requests}
    options["warmup_cycles"] = warmup_cycles
    known: dict[str, Floats] = {}
    others: dict[str, list[RequestLog]] = {}
    rows = []
    for cell in cells(study):
        deployed = with_fields(scenario, cell.set_fields, cell.name)
        run = simulate(deployed, latency, seed=seed, **options)
        asked = repr(deployed.model_dump(exclude={"router"}))
        key = f"{_fingerprint(run)} {asked}"
        if key not in known:
            if asked not in others:  # schedules of the same requests are those of any router
                others[asked] = list(schedules(deployed, latency, seed=seed, **options))
            lost = bracket(
                run.log,
                deployed,
                latency,
                seed=seed,
                replication=replication,
                schedules=others[asked],
            )
            indices = Indices(run, latency.itl)
            shared = [float(run.log.e2e[run.measured].mean()), *_losses(lost)]
            known[key] = np.array([_numbers(indices.report(o), shared) for o in family])
        rows.append(known[key])
    return np.stack(rows)


def _losses(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """The ends of a bracket that are kept."""
    ends = {f"{row['id']}:{end}": float(row[end]) for row in rows for end in ("lo", "hi")}
    return [ends[name] for name in LOSSES]


def _numbers(report: Report, shared: Sequence[float]) -> list[float]:
    values = [getattr(report, column) for column in REPORTED]
    return [*(np.nan if value is None else float(value) for value in values), *shared]


def _fingerprint(run: Run) -> str:
    """Equal for runs that all estimators read alike."""
    digest = hashlib.sha256(run.measured.tobytes())
    digest.update(np.array([run.start, run.end]).tobytes())
    for column in READ:
        digest.update(np.ascontiguousarray(getattr(run.log, column)).tobytes())
    return digest.hexdigest()
