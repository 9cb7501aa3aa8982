# Figures: one picture an experiment or study, as vector PDF and as PNG, in one style.

STYLE = "figures/style.mplstyle"


rule plot_experiment:
    input:
        package=PACKAGE_ARTEFACT,
        style=STYLE,
        rows=f"{RESULTS}/experiments/{{experiment}}.json",
        knees=f"{RESULTS}/experiments/{{experiment}}.knees.json",
    output:
        pdf=f"{FIGURES}/{{experiment}}.pdf",
        png=f"{FIGURES}/{{experiment}}.png",
    log:
        f"{LOGS}/plot_experiment/{{experiment}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/plot_experiment/{{experiment}}.tsv"
    wildcard_constraints:
        experiment=EXPERIMENT_NAMES,
    params:
        experiment=get_experiment,
    script:
        "../scripts/plot_experiment.py"


rule plot_study:
    input:
        package=PACKAGE_ARTEFACT,
        style=STYLE,
        knees=f"{RESULTS}/studies/{{study}}.json",
        feasible=f"{RESULTS}/studies/{{study}}.feasible.json",
    output:
        pdf=f"{FIGURES}/{{study}}.pdf",
        png=f"{FIGURES}/{{study}}.png",
    log:
        f"{LOGS}/plot_study/{{study}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/plot_study/{{study}}.tsv"
    wildcard_constraints:
        study=STUDY_NAMES,
    params:
        study=get_study,
    script:
        "../scripts/plot_study.py"


rule plot_queues:
    input:
        package=PACKAGE_ARTEFACT,
        style=STYLE,
        rows=f"{RESULTS}/theory/parallel-queues.json",
    output:
        pdf=f"{FIGURES}/parallel-queues.pdf",
        png=f"{FIGURES}/parallel-queues.png",
    log:
        f"{LOGS}/plot_queues.log",
    benchmark:
        f"{MACHINE}/benchmarks/plot_queues.tsv"
    script:
        "../scripts/plot_queues.py"
