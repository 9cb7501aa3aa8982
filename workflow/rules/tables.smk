# Tables: LaTeX environments with caption and label, read by the paper with \input.


rule tabulate_experiment:
    input:
        package=PACKAGE_ARTEFACT,
        rows=f"{RESULTS}/experiments/{{experiment}}.json",
    output:
        f"{GENERATED}/tables/experiments/{{experiment}}.tex",
    log:
        f"{LOGS}/tabulate_experiment/{{experiment}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/tabulate_experiment/{{experiment}}.tsv"
    params:
        experiment=get_experiment,
    script:
        "../scripts/tabulate_experiment.py"


rule tabulate_knees:
    input:
        package=PACKAGE_ARTEFACT,
        rows=f"{RESULTS}/experiments/{{experiment}}.knees.json",
    output:
        f"{GENERATED}/tables/knees/{{experiment}}.tex",
    log:
        f"{LOGS}/tabulate_knees/{{experiment}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/tabulate_knees/{{experiment}}.tsv"
    params:
        experiment=get_experiment,
    script:
        "../scripts/tabulate_knees.py"


rule tabulate_comparison:
    input:
        package=PACKAGE_ARTEFACT,
        rows=f"{RESULTS}/experiments/{{experiment}}.compare.json",
    output:
        f"{GENERATED}/tables/compare/{{experiment}}.tex",
    log:
        f"{LOGS}/tabulate_comparison/{{experiment}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/tabulate_comparison/{{experiment}}.tsv"
    params:
        experiment=get_experiment,
    script:
        "../scripts/tabulate_comparison.py"


rule tabulate_study:
    input:
        package=PACKAGE_ARTEFACT,
        feasible=f"{RESULTS}/studies/{{study}}.feasible.json",
    output:
        f"{GENERATED}/tables/studies/{{study}}.tex",
    log:
        f"{LOGS}/tabulate_study/{{study}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/tabulate_study/{{study}}.tsv"
    params:
        study=get_study,
    script:
        "../scripts/tabulate_study.py"


rule tabulate_bounds:
    input:
        package=PACKAGE_ARTEFACT,
        rows=f"{RESULTS}/theory/bounds.json",
    output:
        f"{GENERATED}/tables/bounds.tex",
    log:
        f"{LOGS}/tabulate_bounds.log",
    benchmark:
        f"{MACHINE}/benchmarks/tabulate_bounds.tsv"
    script:
        "../scripts/tabulate_bounds.py"


rule tabulate_assumptions:
    input:
        package=PACKAGE_ARTEFACT,
    output:
        assumptions=f"{GENERATED}/tables/assumptions.tex",
        scenarios=f"{GENERATED}/tables/scenarios.tex",
    log:
        f"{LOGS}/tabulate_assumptions.log",
    benchmark:
        f"{MACHINE}/benchmarks/tabulate_assumptions.tsv"
    params:
        scenarios=get_scenarios(),
    script:
        "../scripts/tabulate_assumptions.py"
