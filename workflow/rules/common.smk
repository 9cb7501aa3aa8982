# The plan of the build and the helpers that rules share. Everything is validated here, before any
# job starts: bad input ends with one line and exit code 2.

import sys
from pathlib import Path

from anarchy import paths
from anarchy.errors import InputError
from anarchy.inputs import find_trace
from anarchy.plan import cell_job, load_plan
from anarchy.serving.latency_table import table_files


try:
    PLAN = load_plan(Path(config["overlay"]) if "overlay" in config else None)
except InputError as error:
    print(f"anarchy: {error}", file=sys.stderr)
    raise SystemExit(2)

OUT = PLAN.outputs
RESULTS = str(OUT.results)
MACHINE = str(OUT.machine)
LOGS = str(OUT.logs)
FIGURES = str(OUT.figures)
GENERATED = str(OUT.generated)
PDF = str(OUT.pdf)
REFERENCE = str(paths.REFERENCE)

# Sources of the package by phase: Snakemake does not see imports, so rules name them as inputs.
SOURCE = Path("src/anarchy")


def get_sources(*folders):
    common = [SOURCE / name for name in ("config.py", "errors.py", "files.py", "inputs.py")]
    return sorted(map(str, [*common, *(p for f in folders for p in (SOURCE / f).glob("*.py"))]))


PACKAGE_INPUTS = get_sources()
PACKAGE_GAMES = get_sources("games")
PACKAGE_SERVING = get_sources("games", "serving", "measure")
PACKAGE_MEASURE = get_sources("games", "serving", "measure")
PACKAGE_ARTEFACT = get_sources("artefact")

# Experiments whose trace is not to be had are shown with their committed reference values.
BUILT = [name for name in PLAN.experiments if name not in PLAN.missing]
CELLS = {(cell.experiment, cell.name): cell for name in BUILT for cell in PLAN.cells[name]}


wildcard_constraints:
    experiment="[a-z0-9-]+",
    study="[a-z0-9-]+",
    trace="[a-z0-9-]+",
    scenario="[a-z0-9-]+",


def get_experiment(wildcards):
    """The experiment as plain data, so that a change of it reruns its jobs."""
    return PLAN.experiments[wildcards.experiment].model_dump(mode="json")


def get_study(wildcards):
    return PLAN.studies[wildcards.study].model_dump(mode="json")


def get_study_scenarios(wildcards):
    names = PLAN.studies[wildcards.study].scenarios
    return {name: PLAN.scenarios[name].model_dump(mode="json") for name in names}


def get_latency_files(wildcards):
    """The latency table of a job's scenario, with the table that it is scaled from."""
    if hasattr(wildcards, "cell"):
        scenario = CELLS[wildcards.experiment, wildcards.cell].scenario
    else:
        scenario = PLAN.scenarios[wildcards.scenario]
    return [str(path) for path in table_files(paths.LATENCY, scenario.model.latency)]


def get_experiment_latency_files(wildcards):
    tables = {cell.scenario.model.latency for cell in PLAN.cells[wildcards.experiment]}
    return sorted({str(p) for t in tables for p in table_files(paths.LATENCY, t)})


def get_trace_file(wildcards):
    """The trace that a job replays, or none."""
    if hasattr(wildcards, "trace"):
        name = wildcards.trace
    else:
        workload = CELLS[wildcards.experiment, wildcards.cell].scenario.workload
        if workload.kind != "trace":
            return []
        name = workload.trace
    return str(find_trace(name, PLAN.traces))


def get_cell_job(wildcards):
    cell = CELLS[wildcards.experiment, wildcards.cell]
    return cell_job(PLAN, cell).model_dump(mode="json")


def get_plugins(wildcards):
    return PLAN.experiments[wildcards.experiment].plugins


def get_cells(wildcards):
    """The per-replication results of an experiment's cells."""
    return [
        f"{RESULTS}/cells/{wildcards.experiment}/{cell.name}.json"
        for cell in PLAN.cells[wildcards.experiment]
    ]


def get_logs(wildcards):
    """The request logs of an experiment on a recorded trace: its comparison pairs requests."""
    cells = PLAN.cells[wildcards.experiment]
    if any(cell.scenario.workload.kind != "trace" for cell in cells):
        return []
    return [f"{RESULTS}/logs/{wildcards.experiment}/{cell.name}.parquet" for cell in cells]


def get_knee_maps(wildcards):
    return [
        f"{RESULTS}/knees/{wildcards.study}/{scenario}.json"
        for scenario in PLAN.studies[wildcards.study].scenarios
    ]


def get_scenario(wildcards):
    return PLAN.scenarios[wildcards.scenario].model_dump(mode="json")


def get_experiment_scenarios(wildcards):
    """An experiment's scenarios with its fixed fields set, as plain data."""
    cells = PLAN.cells[wildcards.experiment]
    return {cell.scenario_name: cell.scenario.model_dump(mode="json") for cell in cells}
