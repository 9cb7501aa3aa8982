# Tables: LaTeX environments with caption and label, read by the paper with \input.


rule tabulate_experiment:
    input:
        package=get_sources("tabulate_experiment"),
        measures=f"{RESULTS}/experiments/{{experiment}}.json",
        knees=f"{RESULTS}/experiments/{{experiment}}.knees.json",
        compare=f"{RESULTS}/experiments/{{experiment}}.compare.json",
        spread=f"{RESULTS}/experiments/{{experiment}}.spread.json",
    output:
        points=f"{GENERATED}/tables/experiments/{{experiment}}.tex",
        knees=f"{GENERATED}/tables/knees/{{experiment}}.tex",
        compare=f"{GENERATED}/tables/compare/{{experiment}}.tex",
        spread=f"{GENERATED}/tables/spread/{{experiment}}.tex",
    log:
        f"{LOGS}/tabulate_experiment/{{experiment}}.log",
    params:
        experiment=get_experiment,
    script:
        "../scripts/tabulate_experiment.py"


rule tabulate_study:
    input:
        package=get_sources("tabulate_study"),
        knees=f"{RESULTS}/studies/{{study}}.json",
        limits=f"{RESULTS}/studies/{{study}}.limits.json",
        facts=f"{RESULTS}/studies/{{study}}.facts.json",
    output:
        feasible=f"{GENERATED}/tables/studies/{{study}}.tex",
        facts=f"{GENERATED}/tables/facts/{{study}}.tex",
    log:
        f"{LOGS}/tabulate_study/{{study}}.log",
    wildcard_constraints:
        study=KNEE_MAP_NAMES,
    params:
        study=get_study,
    script:
        "../scripts/tabulate_study.py"


rule tabulate_family:
    input:
        package=get_sources("tabulate_family"),
        members=f"{RESULTS}/{{study}}.json",
        curves=f"{RESULTS}/studies/{{study}}.curves.json",
        summary=f"{RESULTS}/studies/{{study}}.summary.json",
    output:
        members=f"{GENERATED}/tables/studies/{{study}}.tex",
        properties=f"{GENERATED}/tables/facts/{{study}}.tex",
        thermometer=f"{GENERATED}/tables/thermometers/{{study}}.tex",
    log:
        f"{LOGS}/tabulate_family/{{study}}.log",
    wildcard_constraints:
        study=ESTIMATOR_STUDY_NAMES,
    params:
        study=get_study,
    script:
        "../scripts/tabulate_family.py"


rule tabulate_losses:
    input:
        package=get_sources("tabulate_losses"),
        rows=f"{RESULTS}/bracket.largest.json",
    output:
        f"{GENERATED}/tables/losses.tex",
    log:
        f"{LOGS}/tabulate_losses.log",
    params:
        experiments=get_experiments(),
    script:
        "../scripts/tabulate_losses.py"


rule tabulate_bounds:
    input:
        package=get_sources("tabulate_bounds"),
        rows=f"{RESULTS}/theory/bounds.json",
    output:
        f"{GENERATED}/tables/bounds.tex",
    log:
        f"{LOGS}/tabulate_bounds.log",
    script:
        "../scripts/tabulate_bounds.py"


rule tabulate_theorems:
    input:
        package=get_sources("tabulate_theorems"),
        rows=f"{RESULTS}/theory/theorems.json",
    output:
        f"{GENERATED}/tables/theorems.tex",
    log:
        f"{LOGS}/tabulate_theorems.log",
    script:
        "../scripts/tabulate_theorems.py"


rule tabulate_assumptions:
    input:
        package=get_sources("tabulate_assumptions"),
    output:
        assumptions=f"{GENERATED}/tables/assumptions.tex",
        scenarios=f"{GENERATED}/tables/scenarios.tex",
    log:
        f"{LOGS}/tabulate_assumptions.log",
    params:
        scenarios=get_scenarios(),
    script:
        "../scripts/tabulate_assumptions.py"
