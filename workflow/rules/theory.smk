# Theory: the games and their bounds, solved exactly. Nothing here is simulated.


rule solve_bounds:
    input:
        package=get_sources("solve_bounds"),
    output:
        f"{RESULTS}/theory/bounds.json",
    log:
        f"{LOGS}/solve_bounds.log",
    script:
        "../scripts/solve_bounds.py"


# Every instance on which a theorem of the paper is compared with a solver.
rule check_theorems:
    input:
        package=get_sources("check_theorems"),
    output:
        f"{RESULTS}/theory/theorems.json",
    log:
        f"{LOGS}/check_theorems.log",
    params:
        most=PLAN.settings.theorem_checks,
    script:
        "../scripts/check_theorems.py"


# The curves behind the theory's figures.
rule solve_curves:
    input:
        package=get_sources("solve_curves"),
    output:
        f"{RESULTS}/theory/curves/{{curve}}.json",
    log:
        f"{LOGS}/solve_curves/{{curve}}.log",
    wildcard_constraints:
        curve=CURVE_NAMES,
    script:
        "../scripts/solve_curves.py"
