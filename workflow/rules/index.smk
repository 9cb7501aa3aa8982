# Which job makes which file, and what of: what the rule index_jobs writes down, so that `anarchy
# explain` can tell the way of a number without starting Snakemake.

# The files of configuration behind a parameter of a rule.
SETTINGS_FILES = [paths.SETTINGS]
SETTINGS_FILES += [Path(config["overlay"])] if "overlay" in config else []
PARAMETER_FILES = {
    "ledger": [paths.CLAIMS],
    "silicon": [paths.SILICON],
    "points": [paths.LIVE],
    "alone": [paths.LIVE],
    "runs": [paths.LIVE, *SETTINGS_FILES],
    "source": [paths.TRACES],
}
PARAMETER_FILES |= dict.fromkeys(
    ("jobs", "seed", "requests", "bootstrap", "repeated", "effort", "most"),
    SETTINGS_FILES,
)


@cache
def get_scenario_files(name):
    """The files of a scenario, with those that it extends."""
    return [path for path, _ in scenario_files(paths.SCENARIOS, name)]


def get_experiment_files(name):
    """The files of an experiment, with those of its scenarios."""
    files = [paths.EXPERIMENTS / f"{name}.yaml"]
    known = PLAN.experiments | PLAN.left_out
    for scenario in known[name].scenarios:
        files += get_scenario_files(scenario)
    return files


def get_study_files(name):
    """The files of a study, with those of its scenarios."""
    files = [paths.STUDIES / f"{name}.yaml"]
    for scenario in PLAN.studies[name].scenarios:
        files += get_scenario_files(scenario)
    return files


def as_names(value):
    """The names in a parameter or a wildcard, if it has any."""
    if isinstance(value, str):
        return [value]
    return [*value] if isinstance(value, dict) else []


def get_config_files(job):
    """The configuration that a job reads, as its parameters and its wildcards tell."""
    said, given = dict(job.wildcards.items()), dict(job.params.items())
    files = []
    for name, value in given.items():
        files += PARAMETER_FILES.get(name, ()) if value is not None else ()
    for name in as_names(given.get("scenarios")):
        files += get_scenario_files(name)
    for value in (given.get("experiments"), said.get("experiment")):
        for name in as_names(value):
            files += get_experiment_files(name)
    for name in as_names(said.get("study")):
        files += get_study_files(name)
    return sorted(set(map(str, files)))


def get_job_rows(job):
    """One row for each file of a job, which is called like its log."""
    head = {"id": str(job.log[0]).removeprefix(f"{LOGS}/").removesuffix(".log")}
    rows = [{"role": "input", "value": str(path)} for path in job.input]
    rows += [{"role": "config", "value": path} for path in get_config_files(job)]
    if job.rule.script:
        rows.append(
            {"role": "script", "value": str(SCRIPTS / Path(job.rule.script).name)}
        )
    names = {str(path): called for called, path in job.output.items()}
    rows += [
        {"role": "output", "value": str(path), "name": names.get(str(path))}
        for path in job.output
    ]
    return [{**head, **row} for row in rows]


def get_index_rows(wildcards):
    """The rows of all jobs of this build; the index itself is none of them."""
    jobs = {str(job.log[0]): job for job in workflow.dag.jobs if job.log}
    jobs = {log: job for log, job in jobs.items() if job.rule.name != "index_jobs"}
    return [row for log in sorted(jobs) for row in get_job_rows(jobs[log])]
