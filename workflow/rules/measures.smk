# Measures: from the cells of an experiment to quantities with intervals, knees and comparisons.


rule measure_experiment:
    input:
        package=PACKAGE_MEASURE,
        cells=get_cells,
    output:
        f"{RESULTS}/experiments/{{experiment}}.json",
    params:
        experiment=get_experiment,
    log:
        f"{LOGS}/measure_experiment/{{experiment}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/measure_experiment/{{experiment}}.tsv"
    script:
        "../scripts/measure_experiment.py"


rule measure_knees:
    input:
        package=PACKAGE_MEASURE,
        measures=f"{RESULTS}/experiments/{{experiment}}.json",
        latency=get_experiment_latency_files,
    output:
        f"{RESULTS}/experiments/{{experiment}}.knees.json",
    params:
        experiment=get_experiment,
        scenarios=get_experiment_scenarios,
    log:
        f"{LOGS}/measure_knees/{{experiment}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/measure_knees/{{experiment}}.tsv"
    script:
        "../scripts/measure_knees.py"


rule compare_cells:
    input:
        package=PACKAGE_MEASURE,
        cells=get_cells,
        logs=get_logs,
    output:
        f"{RESULTS}/experiments/{{experiment}}.compare.json",
    params:
        experiment=get_experiment,
        bootstrap=PLAN.settings.bootstrap.model_dump(),
        seed=PLAN.settings.seed,
    log:
        f"{LOGS}/compare_cells/{{experiment}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/compare_cells/{{experiment}}.tsv"
    script:
        "../scripts/compare_cells.py"


rule measure_study:
    input:
        package=PACKAGE_MEASURE,
        knees=get_knee_maps,
    output:
        knees=f"{RESULTS}/studies/{{study}}.json",
        feasible=f"{RESULTS}/studies/{{study}}.feasible.json",
    params:
        study=get_study,
        scenarios=get_study_scenarios,
    log:
        f"{LOGS}/measure_study/{{study}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/measure_study/{{study}}.tsv"
    script:
        "../scripts/measure_study.py"
