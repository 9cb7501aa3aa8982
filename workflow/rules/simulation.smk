# Simulation: one job per cell of an experiment (its replications inside), one job per scenario of
# a study and value of its first axis.


rule simulate_cell:
    input:
        package=PACKAGE_CELL,
        latency=get_latency_files,
        trace=get_trace_file,
        plugins=get_plugins,
    output:
        measures=f"{RESULTS}/cells/{{experiment}}/{{cell}}.json",
        log=f"{RESULTS}/logs/{{experiment}}/{{cell}}.parquet",
    log:
        f"{LOGS}/simulate_cell/{{experiment}}/{{cell}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/simulate_cell/{{experiment}}/{{cell}}.tsv"
    params:
        job=get_cell_job,
        source=get_cell_trace_source,
    script:
        "../scripts/simulate_cell.py"


rule map_knees:
    input:
        package=PACKAGE_KNEES,
        latency=get_latency_files,
    output:
        f"{RESULTS}/knees/{{study}}/{{scenario}}__{{part}}.json",
    log:
        f"{LOGS}/map_knees/{{study}}/{{scenario}}__{{part}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/map_knees/{{study}}/{{scenario}}__{{part}}.tsv"
    params:
        study=get_study_part,
        scenario=get_scenario,
        requests=PLAN.settings.requests,
        warmup_cycles=PLAN.settings.warmup_cycles,
        seed=PLAN.settings.seed,
    script:
        "../scripts/map_knees.py"
