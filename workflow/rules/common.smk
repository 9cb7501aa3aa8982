# The plan of the build and the helpers that rules share. Everything is validated here, before any
# job starts: bad input ends with one line and exit code 2.

import ast
import re
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path

from snakemake.io import IOFile
from snakemake.script import PythonScript

from anarchy.common import paths
from anarchy.artefact.imported_sources import digest, imported_sources
from anarchy.artefact.numbers import sources
from anarchy.artefact.provenance.commit import commit
from anarchy.common.errors import InputError
from anarchy.common.garbage_collection import collect_rarely
from anarchy.workload.trace_files import find_trace
from anarchy.measure.knee.knee_map import count_parts
from anarchy.measure.validation.suite import GROUPS, SCENARIOS, effort
from anarchy.build_forks import run_forked
from anarchy.build_jobs import jobs_of, point_job
from anarchy.build_plan import CURVES, experiment_of, load_plan
from anarchy.serving.service_times.table_files import latency_sources
from anarchy.config.settings import scenario_files
from anarchy.config.silicon import deployments

collect_rarely()

run_anew = PythonScript.execute_script


def run_script(script, path, edit=False):
    """Run a job's script, on Linux as a fork of a process that has imported what it needs."""
    if sys.platform == "linux" and script.container_img is None:
        run_forked(path)
    else:
        run_anew(script, path, edit)


PythonScript.execute_script = run_script

# Else Snakemake puts this path into a shell command as it is; it may have spaces.
sys.executable = shlex.quote(sys.executable)

try:
    PLAN = load_plan(
        Path(config["overlay"]) if "overlay" in config else None,
        output=config.get("output"),
    )
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
RECORD = [f"{MACHINE}/provenance.json", f"{MACHINE}/provenance.html"]
REFERENCE = str(paths.REFERENCE)

# Which job makes which file of what.
INDEX = f"{MACHINE}/jobs.json"

SCRIPTS = Path("workflow/scripts")

# Runs of a point beside one that was measured live, for each replication of other points.
LIVE_RUNS = 4


@cache
def get_sources(script):
    """The lock and the sources that a script rests on: Snakemake does not see imports."""
    return [
        "requirements.lock",
        *sorted(map(str, imported_sources(SCRIPTS / f"{script}.py"))),
    ]


# A parameter and no input: a hundred files more of each job would take Snakemake longer to look at
# than most jobs take.
def get_package(script):
    """One digest of the sources, so that a change of what they hold reruns the script's jobs."""
    return digest(map(Path, get_sources(script)))


# The points of each experiment as its jobs take them.
PARTS = {name: jobs_of(PLAN, name) for name in PLAN.points}

# The models on measured hardware, if the project has them.
SILICON = ["silicon"] if PLAN.silicon else []

# Results of experiments whose trace is not to be had: committed reference values replace them.
# The pattern matches what such a results file is called, without its suffix.
LOST_NAMES = "|".join(sorted({*PLAN.missing, *PLAN.missing.values()}))
LOST = rf"({LOST_NAMES})(\..+)?" if LOST_NAMES else "(?!)"


ruleorder: restore_reference > measure_experiment > describe_trace


wildcard_constraints:
    experiment="[a-z0-9-]+",
    study="[a-z0-9-]+",
    trace="[a-z0-9-]+",
    scenario="[a-z0-9-]+",
    part="[0-9]+",


def get_experiment(wildcards):
    """The experiment as plain data, so that a change of it reruns its jobs."""
    return PLAN.experiments[wildcards.experiment].model_dump(mode="json")


def get_study(wildcards):
    return PLAN.studies[wildcards.study].model_dump(mode="json")


def get_study_scenarios(wildcards):
    names = PLAN.studies[wildcards.study].scenarios
    return {name: PLAN.scenarios[name].model_dump(mode="json") for name in names}


def get_part(wildcards):
    """The points that one job of an experiment takes."""
    return PARTS[wildcards.experiment][int(wildcards.part)]


def get_study_latency_files(wildcards):
    """The latency tables of a study, with those that they are scaled from."""
    study = PLAN.studies[wildcards.study]
    tables = {PLAN.scenarios[name].model.latency for name in study.scenarios}
    tables |= study.values_of("model.latency")
    return sorted({str(p) for t in tables for p in latency_sources(paths.LATENCY, t)})


def get_scenario(wildcards):
    return PLAN.scenarios[wildcards.scenario].model_dump(mode="json")


def get_scenario_latency_files(wildcards):
    """The latency table of a scenario, with the table that it is scaled from."""
    table = PLAN.scenarios[wildcards.scenario].model.latency
    return sorted(map(str, latency_sources(paths.LATENCY, table)))


def get_part_latency_files(wildcards):
    return get_tables(get_part(wildcards))


def get_tables(points):
    """The latency tables of some points, with those that they are scaled from."""
    tables = {point.scenario.model.latency for point in points}
    return sorted({str(p) for t in tables for p in latency_sources(paths.LATENCY, t)})


def get_experiment_latency_files(wildcards):
    return get_tables(PLAN.points[wildcards.experiment])


def get_silicon(wildcards):
    """The comparison on measured hardware as plain data."""
    return PLAN.silicon.model_dump(mode="json")


def get_silicon_scenarios(wildcards):
    return {
        name: PLAN.scenarios[name].model_dump(mode="json")
        for name in PLAN.silicon.scenarios
    }


def get_silicon_files():
    """The latency tables of its deployments and the measured cells of which tables are made."""
    if PLAN.silicon is None:
        return []
    deployed = deployments(PLAN.silicon, PLAN.scenarios, str(paths.SILICON))
    tables = {deployment.scenario.model.latency for deployment in deployed}
    files = {p for t in tables for p in latency_sources(paths.LATENCY, t)}
    return sorted(map(str, [*files, *(paths.REFERENCE / "silicon").glob("*.json")]))


TRACE_SOURCES = {source.file: source for source in PLAN.traces.traces.values()}


# Two jobs simulate the points that were measured live: their start takes longer than a point.
LIVE_PARTS = (PLAN.live[0::2], PLAN.live[1::2])


def list_live():
    """The runs beside the live measurement, one file a job."""
    return [f"{RESULTS}/live/{part}.json" for part in range(len(LIVE_PARTS))]


def get_live_points(wildcards):
    points = LIVE_PARTS[int(wildcards.part)]
    return [point.model_dump(mode="json") for point in points]


def get_live_client_alone():
    """The point whose only client tells the host's own time per request."""
    (alone,) = [point for point in PLAN.live if point.workload.clients == 1]
    return alone.model_dump(mode="json")


def get_live_runs():
    """Enough runs of each point to know how much they differ."""
    replications = LIVE_RUNS * PLAN.settings.replications
    return {"seed": PLAN.settings.seed, "replications": replications}


def get_live_latency_files(wildcards):
    return get_tables(PLAN.live)


def get_controlled_runs():
    return [run.model_dump(mode="json") for run in PLAN.controlled]


def get_controlled_latency_files(wildcards):
    return get_tables(PLAN.controlled)


def get_trace_source(wildcards):
    """The registered trace of a job as plain data: format, address and checksum."""
    if hasattr(wildcards, "trace"):
        source = PLAN.traces.traces[wildcards.trace]
    else:
        source = TRACE_SOURCES[wildcards.file]
    return source.model_dump()


def get_part_trace_source(wildcards):
    """The registered trace that a job's points replay, if they do."""
    workload = get_part(wildcards)[0].scenario.workload
    source = PLAN.traces.traces.get(getattr(workload, "trace", None))
    return source.model_dump() if source else None


def get_trace_file(wildcards):
    """The trace that a job replays, or none."""
    if hasattr(wildcards, "trace"):
        name = wildcards.trace
    else:
        workload = get_part(wildcards)[0].scenario.workload
        if workload.kind != "trace":
            return []
        name = workload.trace
    return str(find_trace(name, PLAN.traces))


def get_point_jobs(wildcards):
    return [
        point_job(PLAN, point).model_dump(mode="json") for point in get_part(wildcards)
    ]


def count_requests(wildcards):
    """The requests that a job simulates for each of its points."""
    jobs = [point_job(PLAN, point) for point in get_part(wildcards)]
    return [
        (getattr(job.scenario.workload, "rows", None) or job.requests)
        * job.replications
        for job in jobs
    ]


def get_minutes(wildcards):
    """What a scheduler may give a job of points: twice 0.25 ms a request, which is the dearest."""
    return 5 + sum(count_requests(wildcards)) // 120_000


def get_megabytes(wildcards):
    """Twice what a process takes and 5 kB for each request of a point."""
    return 500 + max(count_requests(wildcards)) // 100


def get_point_names(wildcards):
    return [point.name for point in get_part(wildcards)]


def get_plugins(wildcards):
    return PLAN.experiments[wildcards.experiment].plugins


def get_all_figures():
    names = [
        *CURVES,
        "validation",
        "live",
        "live-control",
        *SILICON,
        *PLAN.experiments,
        *PLAN.studies,
    ]
    names += [f"{study}-thermometer" for study in PLAN.estimator_studies]
    return [f"{FIGURES}/{name}.{kind}" for name in names for kind in ("pdf", "png")]


def get_all_results():
    """Every result by name, so that one which was deleted is made anew."""
    names = ["theory/bounds", "theory/theorems", "validation", "dynamo"]
    names += [
        "live",
        "live-control",
        "live-control/runs",
        "bracket",
        "bracket.extremes",
        "bracket.largest",
    ]
    if PLAN.claims:
        names += ["claims", "claims.evidence", "claims.summary"]
        names += ["rule-outs", "rule-outs.mechanisms"]
    names += [f"theory/curves/{name}" for name in CURVES]
    names += [
        f"{name}{kind}" for name in SILICON for kind in ("", ".summary", ".cells")
    ]
    names += [f"validation/{group}" for group in GROUPS]
    for experiment in PLAN.experiments:
        kinds = ("", ".knees", ".compare", ".spread", ".estimators")
        names += [f"experiments/{experiment}{kind}" for kind in kinds]
    for study in PLAN.knee_maps:
        kinds = ("", ".facts", ".summary", ".limits", ".hosts")
        names += [f"studies/{study}{kind}" for kind in kinds]
    for study in PLAN.estimator_studies:
        kinds = ("curves", "summary", "thermometer")
        names += [study, *(f"studies/{study}.{kind}" for kind in kinds)]
    files = [f"{RESULTS}/{name}.json" for name in names] + list_live()
    for experiment in PLAN.experiments.keys() - PLAN.missing.keys():
        files += [*list_points(experiment), *list_logs(experiment)]
    for study in PLAN.knee_maps:
        files += list_knee_maps(study)
    for study in PLAN.estimator_studies:
        files += list_indices(study)
    return sorted({*files, *get_number_files()})


def get_all_files():
    """All that a build makes, but for the PDF."""
    return [*get_all_results(), *get_all_figures(), *get_generated_files(), *RECORD]


def remove_orphans():
    """Remove what builds of an earlier plan made, and this plan does not name any more."""
    named = {PDF, str(Path(PDF).with_suffix(".log")), INDEX, *get_all_files()}
    removed = []
    for folder in (RESULTS, FIGURES, GENERATED):
        for path in sorted(Path(folder).rglob("*")):
            known = named.intersection(map(str, (path, *path.parents)))
            # Snakemake's record tells what a build made from what a user put there.
            if not known and workflow.persistence.metadata(IOFile(str(path))):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                workflow.persistence.cleanup_metadata(IOFile(str(path)))
                removed.append(str(path))
    if removed:
        more = f" and {len(removed) - 3} more" if len(removed) > 3 else ""
        names = ", ".join(removed[:3])
        print(f"removed what is no longer configured: {names}{more}", file=sys.stderr)


def list_points(experiment):
    """The per-replication results of an experiment's points, one file a job."""
    parts = range(len(PARTS[experiment]))
    return [f"{RESULTS}/points/{experiment}/{part}.json" for part in parts]


def list_logs(experiment):
    """The folders of request logs beside them."""
    parts = range(len(PARTS[experiment]))
    return [f"{RESULTS}/logs/{experiment}/{part}" for part in parts]


def list_knee_maps(study):
    """One file per share of a study's combinations."""
    parts = range(count_parts(PLAN.studies[study]))
    return [f"{RESULTS}/knees/{study}/{part}.json" for part in parts]


def list_indices(study):
    """One file per scenario and replication of a study of estimators."""
    return [
        f"{RESULTS}/indices/{study}/{scenario}__{part}.npy"
        for scenario in PLAN.studies[study].scenarios
        for part in range(PLAN.studies[study].replications)
    ]


def get_points(wildcards):
    return list_points(wildcards.experiment)


def get_logs(wildcards):
    """The request logs of an experiment on a recorded trace: its comparison pairs requests."""
    points = PLAN.points[wildcards.experiment]
    if any(point.scenario.workload.kind != "trace" for point in points):
        return []
    return list_logs(wildcards.experiment)


def get_ledger(wildcards):
    """The published claims as plain data."""
    return PLAN.claims.model_dump(mode="json")


# The experiments whose variants are held against the published changes.
MECHANISMS = [name for name in PLAN.experiments if name.startswith("mechanisms-")]


def get_swept_scenarios():
    """The deployments of the concurrency sweep."""
    sweep = PLAN.experiments.get("concurrency")
    names = sweep.scenarios if sweep else []
    return {name: PLAN.scenarios[name].model_dump(mode="json") for name in names}


def get_claimed():
    """The results that claims are held against, of those that the build makes."""
    made = set(get_all_results())
    claims = PLAN.claims.claims if PLAN.claims else []
    named = {selection.file for claim in claims for selection in claim.selections}
    return {
        file: f"{RESULTS}/{file}"
        for file in sorted(named)
        if f"{RESULTS}/{file}" in made
    }


def get_bracketed():
    """The experiments that measure what runs lost, with the fields that tell their points apart."""
    return {
        name: entry.keys
        for name, entry in PLAN.experiments.items()
        if any(measure.startswith("loss-") for measure in entry.measures)
    }


def get_knee_maps(wildcards):
    return list_knee_maps(wildcards.study)


def get_indices(wildcards):
    return list_indices(wildcards.study)


def get_log_names(wildcards):
    """The files in each folder of logs."""
    parts = PARTS[wildcards.experiment]
    return [[f"{point.name}.parquet" for point in part] for part in parts]


def get_experiment_scenarios(wildcards):
    names = PLAN.experiments[wildcards.experiment].scenarios
    return {name: PLAN.scenarios[name].model_dump(mode="json") for name in names}


# Figures of experiments and studies share a folder: their names tell the rules apart.
EXPERIMENT_NAMES = "|".join(PLAN.experiments) or "-"
KNEE_MAP_NAMES = "|".join(PLAN.knee_maps) or "-"
ESTIMATOR_STUDY_NAMES = "|".join(PLAN.estimator_studies) or "-"
CURVE_NAMES = "|".join(CURVES)


def get_scenarios():
    return {
        name: scenario.model_dump(mode="json")
        for name, scenario in PLAN.scenarios.items()
    }


def get_experiments():
    return {
        name: entry.model_dump(mode="json") for name, entry in PLAN.experiments.items()
    }


def get_pages():
    """The experiments of the appendix: those that a build leaves out have a page, too."""
    left_out = {
        name: entry.model_dump(mode="json") for name, entry in PLAN.left_out.items()
    }
    return get_experiments() | left_out


def get_number_declarations():
    return sorted(map(str, Path("paper/numbers.d").glob("*.yaml")))


# The results that the paper's numbers are read from.
NUMBER_SOURCES = sources(map(Path, get_number_declarations()))


# Those of them that this build goes without.
NUMBERS_LEFT_OUT = [
    file for file in NUMBER_SOURCES if experiment_of(file) in PLAN.left_out
]


def get_number_files():
    return [
        f"{RESULTS}/{file}" for file in NUMBER_SOURCES if file not in NUMBERS_LEFT_OUT
    ]


def get_committed_files():
    """Files that numbers are read from and that hold committed reference values."""
    return {
        file: f"{RESULTS}/{file}"
        for file in NUMBER_SOURCES
        if re.fullmatch(LOST, Path(file).stem)
    }


def get_recorded(wildcards):
    """All that the record of a build is about: the PDF too, unless the build leaves it out."""
    without_pdf = "no_pdf" in workflow.dag_settings.targets
    pdf = [] if without_pdf else [PDF, str(Path(PDF).with_suffix(".log"))]
    return [*get_all_results(), *get_all_figures(), *get_generated_files(), *pdf]


def get_hashed_files():
    """All that a build follows from: configuration, lock, rules, package, plugins, traces, text."""
    files = [p for p in paths.CONFIG.rglob("*") if p.suffix in (".yaml", ".json")]
    files += ["Snakefile", *Path("workflow/rules").glob("*.smk"), STYLE]
    files += [*get_paper_sources(), *get_number_declarations()]
    files += [plugin for entry in PLAN.experiments.values() for plugin in entry.plugins]
    names = {
        point.scenario.workload.trace
        for points in PLAN.points.values()
        for point in points
        if point.scenario.workload.kind == "trace"
    }
    files += [
        find_trace(name, PLAN.traces) for name in names - set(PLAN.missing.values())
    ]
    for script in SCRIPTS.glob("*.py"):
        files += get_sources(script.stem)
    return sorted(set(map(str, files)))


def get_commit(wildcards):
    """The commit that the files come from, so that a new one is recorded."""
    return commit(Path())


def get_paper_sources():
    folders = [paths.PAPER / part for part in (".", "sections", "references.d")]
    return sorted(
        str(p) for f in folders for p in f.iterdir() if p.suffix in (".tex", ".bib")
    )


def get_generated_files():
    """Everything that the paper reads from a rule: macros, appendix, tables."""
    kinds = ("experiments", "knees", "compare", "spread")
    tables = ["bounds", "theorems", "assumptions", "scenarios", "validation", "dynamo"]
    tables += ["live", "live-control", "losses", *SILICON]
    tables += ["claims", "rule-outs", "mechanisms"] if PLAN.claims else []
    tables += [f"{kind}/{name}" for kind in kinds for name in PLAN.experiments]
    tables += [
        f"{kind}/{name}" for kind in ("studies", "facts") for name in PLAN.studies
    ]
    tables += [f"thermometers/{name}" for name in PLAN.estimator_studies]
    return [f"{GENERATED}/{name}.tex" for name in ("numbers", "appendix")] + [
        f"{GENERATED}/tables/{name}.tex" for name in tables
    ]


def get_paper_figures():
    return [
        f"{FIGURES}/{name}.pdf"
        for name in (
            *CURVES,
            "validation",
            "live",
            "live-control",
            *SILICON,
            *PLAN.experiments,
            *PLAN.studies,
            *(f"{study}-thermometer" for study in PLAN.estimator_studies),
        )
    ]


def label_experiment(wildcards):
    name = wildcards.experiment
    return label_declared(name, PLAN.experiments[name].title)


def label_study(wildcards):
    return label_declared(wildcards.study, PLAN.studies[wildcards.study].title)


def label_declared(name, title):
    """What Snakemake's report calls a figure: its name, and the title that its file has.

    Snakemake would take a word in braces for a wildcard, were there no invisible sign before it.
    """
    return {"figure": name, "title": title.replace("{", "{\N{WORD JOINER}")}


def label_thermometer(wildcards):
    return label_figure(f"{wildcards.study}-thermometer", "thermometer")


def label_curve(wildcards):
    return label_figure(wildcards.curve, f"theory/{wildcards.curve.replace('-', '_')}")


def label_figure(name, module):
    """The same of a figure without such a file: the first line of the module that draws it."""
    source = Path(f"src/anarchy/artefact/figures/{module}.py").read_text("utf-8")
    return {
        "figure": name,
        "title": ast.get_docstring(ast.parse(source)).partition("\n")[0],
    }


def get_results_folder(wildcards):
    return RESULTS


def get_tex_inputs(wildcards):
    """The folders in which LaTeX looks for what the paper reads."""
    return [str(paths.PAPER), f"{paths.PAPER}/references.d", GENERATED, FIGURES]


def get_tex_folder(wildcards):
    return f"{MACHINE}/latex"
