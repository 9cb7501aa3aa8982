# Theory: the games and their bounds, solved exactly. Nothing here is simulated.


rule solve_bounds:
    output:
        f"{RESULTS}/theory/bounds.json",
    log:
        f"{LOGS}/solve_bounds.log",
    params:
        package=get_package("solve_bounds"),
    script:
        "../scripts/solve_bounds.py"


# Every instance on which a theorem of the paper is compared with a solver.
rule check_theorems:
    output:
        f"{RESULTS}/theory/theorems.json",
    log:
        f"{LOGS}/check_theorems.log",
    params:
        package=get_package("check_theorems"),
        most=PLAN.settings.theorem_checks,
    script:
        "../scripts/check_theorems.py"


# The curves behind the theory's figures.
rule solve_curves:
    output:
        f"{RESULTS}/theory/curves/{{curve}}.json",
    log:
        f"{LOGS}/solve_curves/{{curve}}.log",
    wildcard_constraints:
        curve=CURVE_NAMES,
    params:
        package=get_package("solve_curves"),
    script:
        "../scripts/solve_curves.py"
