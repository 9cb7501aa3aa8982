# Measured hardware: the source's models with service times of GPUs that were measured.


rule compare_silicon:
    input:
        latency=get_silicon_files(),
    output:
        comparison=f"{RESULTS}/silicon.json",
        summary=f"{RESULTS}/silicon.summary.json",
        cells=f"{RESULTS}/silicon.cells.json",
    log:
        f"{LOGS}/compare_silicon.log",
    params:
        package=get_package("compare_silicon"),
        silicon=get_silicon,
        scenarios=get_silicon_scenarios,
        requests=PLAN.settings.requests,
        warmup_cycles=PLAN.settings.warmup_cycles,
        seed=PLAN.settings.seed,
    script:
        "../scripts/compare_silicon.py"


rule show_silicon:
    input:
        style=STYLE,
        rows=f"{RESULTS}/silicon.json",
    output:
        table=f"{GENERATED}/tables/silicon.tex",
        pdf=f"{FIGURES}/silicon.pdf",
        png=report(
            f"{FIGURES}/silicon.png",
            caption="../report/comparison.rst",
            category="Comparisons",
            labels=label_figure("silicon", "silicon"),
        ),
    log:
        f"{LOGS}/show_silicon.log",
    params:
        package=get_package("show_silicon"),
        silicon=get_silicon,
    script:
        "../scripts/show_silicon.py"
