# Tables without a figure beside them.


rule tabulate_losses:
    input:
        rows=f"{RESULTS}/bracket.largest.json",
    output:
        f"{GENERATED}/tables/losses.tex",
    log:
        f"{LOGS}/tabulate_losses.log",
    params:
        package=get_package("tabulate_losses"),
        experiments=get_experiments(),
    script:
        "../scripts/tabulate_losses.py"


rule tabulate_bounds:
    input:
        rows=f"{RESULTS}/theory/bounds.json",
    output:
        f"{GENERATED}/tables/bounds.tex",
    log:
        f"{LOGS}/tabulate_bounds.log",
    params:
        package=get_package("tabulate_bounds"),
    script:
        "../scripts/tabulate_bounds.py"


rule tabulate_theorems:
    input:
        rows=f"{RESULTS}/theory/theorems.json",
    output:
        f"{GENERATED}/tables/theorems.tex",
    log:
        f"{LOGS}/tabulate_theorems.log",
    params:
        package=get_package("tabulate_theorems"),
    script:
        "../scripts/tabulate_theorems.py"


rule tabulate_assumptions:
    output:
        assumptions=f"{GENERATED}/tables/assumptions.tex",
        scenarios=f"{GENERATED}/tables/scenarios.tex",
    log:
        f"{LOGS}/tabulate_assumptions.log",
    params:
        package=get_package("tabulate_assumptions"),
        scenarios=get_scenarios(),
    script:
        "../scripts/tabulate_assumptions.py"
