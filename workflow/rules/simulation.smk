# Simulation: one job for a few points of an experiment (their replications inside), one for a
# share of a knee map's combinations, one per scenario and replication of a study of estimators.


rule simulate_points:
    input:
        latency=get_part_latency_files,
        trace=get_trace_file,
        plugins=get_plugins,
    output:
        measures=f"{RESULTS}/points/{{experiment}}/{{part}}.json",
        logs=directory(f"{RESULTS}/logs/{{experiment}}/{{part}}"),
    log:
        f"{LOGS}/simulate_points/{{experiment}}/{{part}}.log",
    resources:
        mem_mb=get_megabytes,
        runtime=get_minutes,
    params:
        package=get_package("simulate_points"),
        jobs=get_point_jobs,
        names=get_point_names,
        source=get_part_trace_source,
    script:
        "../scripts/simulate_points.py"


rule map_knees:
    input:
        latency=get_study_latency_files,
    output:
        f"{RESULTS}/knees/{{study}}/{{part}}.json",
    log:
        f"{LOGS}/map_knees/{{study}}/{{part}}.log",
    params:
        package=get_package("map_knees"),
        study=get_study,
        scenarios=get_study_scenarios,
        requests=PLAN.settings.requests,
        warmup_cycles=PLAN.settings.warmup_cycles,
        seed=PLAN.settings.seed,
    script:
        "../scripts/map_knees.py"


rule measure_family:
    input:
        latency=get_scenario_latency_files,
    output:
        f"{RESULTS}/indices/{{study}}/{{scenario}}__{{part}}.npy",
    log:
        f"{LOGS}/measure_family/{{study}}/{{scenario}}__{{part}}.log",
    params:
        package=get_package("measure_family"),
        study=get_study,
        scenario=get_scenario,
        requests=PLAN.settings.requests,
        warmup_cycles=PLAN.settings.warmup_cycles,
        seed=PLAN.settings.seed,
    script:
        "../scripts/measure_family.py"
