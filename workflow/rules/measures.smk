# Measures: from the points of an experiment to quantities with intervals, knees and comparisons.


rule measure_experiment:
    input:
        points=get_points,
        logs=get_logs,
        latency=get_experiment_latency_files,
    output:
        measures=f"{RESULTS}/experiments/{{experiment}}.json",
        knees=f"{RESULTS}/experiments/{{experiment}}.knees.json",
        compare=f"{RESULTS}/experiments/{{experiment}}.compare.json",
        spread=f"{RESULTS}/experiments/{{experiment}}.spread.json",
        estimators=f"{RESULTS}/experiments/{{experiment}}.estimators.json",
    log:
        f"{LOGS}/measure_experiment/{{experiment}}.log",
    params:
        package=get_package("measure_experiment"),
        experiment=get_experiment,
        scenarios=get_experiment_scenarios,
        bootstrap=PLAN.settings.bootstrap.model_dump(),
        seed=PLAN.settings.seed,
        log_names=get_log_names,
    script:
        "../scripts/measure_experiment.py"


rule measure_study:
    input:
        latency=get_study_latency_files,
        knees=get_knee_maps,
    output:
        knees=f"{RESULTS}/studies/{{study}}.json",
        facts=f"{RESULTS}/studies/{{study}}.facts.json",
        summary=f"{RESULTS}/studies/{{study}}.summary.json",
        limits=f"{RESULTS}/studies/{{study}}.limits.json",
        hosts=f"{RESULTS}/studies/{{study}}.hosts.json",
    log:
        f"{LOGS}/measure_study/{{study}}.log",
    wildcard_constraints:
        study=KNEE_MAP_NAMES,
    params:
        package=get_package("measure_study"),
        study=get_study,
        scenarios=get_study_scenarios,
    script:
        "../scripts/measure_study.py"


rule collect_brackets:
    input:
        experiments=[f"{RESULTS}/experiments/{name}.json" for name in get_bracketed()],
    output:
        brackets=f"{RESULTS}/bracket.json",
        extremes=f"{RESULTS}/bracket.extremes.json",
        largest=f"{RESULTS}/bracket.largest.json",
    log:
        f"{LOGS}/collect_brackets.log",
    params:
        package=get_package("collect_brackets"),
        experiments=get_bracketed(),
    script:
        "../scripts/collect_brackets.py"


rule rank_family:
    input:
        parts=get_indices,
    output:
        members=f"{RESULTS}/{{study}}.json",
        curves=f"{RESULTS}/studies/{{study}}.curves.json",
        summary=f"{RESULTS}/studies/{{study}}.summary.json",
        thermometer=f"{RESULTS}/studies/{{study}}.thermometer.json",
    log:
        f"{LOGS}/rank_family/{{study}}.log",
    wildcard_constraints:
        study=ESTIMATOR_STUDY_NAMES,
    params:
        package=get_package("rank_family"),
        study=get_study,
    script:
        "../scripts/rank_family.py"
