# Theory: the games and their bounds, solved exactly. Nothing here is simulated.


rule solve_bounds:
    input:
        package=PACKAGE_GAMES,
    output:
        f"{RESULTS}/theory/bounds.json",
    log:
        f"{LOGS}/solve_bounds.log",
    benchmark:
        f"{MACHINE}/benchmarks/solve_bounds.tsv"
    script:
        "../scripts/solve_bounds.py"


rule solve_queues:
    input:
        package=PACKAGE_GAMES,
    output:
        f"{RESULTS}/theory/parallel-queues.json",
    log:
        f"{LOGS}/solve_queues.log",
    benchmark:
        f"{MACHINE}/benchmarks/solve_queues.tsv"
    script:
        "../scripts/solve_queues.py"
