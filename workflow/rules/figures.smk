# Figures: one picture an experiment or study, as vector PDF and as PNG, in one style.

STYLE = "figures/style.mplstyle"


rule plot_experiment:
    input:
        package=get_sources("plot_experiment"),
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
        package=get_sources("plot_study"),
        style=STYLE,
        knees=f"{RESULTS}/studies/{{study}}.json",
        limits=f"{RESULTS}/studies/{{study}}.limits.json",
    output:
        pdf=f"{FIGURES}/{{study}}.pdf",
        png=f"{FIGURES}/{{study}}.png",
    log:
        f"{LOGS}/plot_study/{{study}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/plot_study/{{study}}.tsv"
    wildcard_constraints:
        study=KNEE_MAP_NAMES,
    params:
        study=get_study,
    script:
        "../scripts/plot_study.py"


rule plot_family:
    input:
        package=get_sources("plot_family"),
        style=STYLE,
        curves=f"{RESULTS}/studies/{{study}}.curves.json",
    output:
        pdf=f"{FIGURES}/{{study}}.pdf",
        png=f"{FIGURES}/{{study}}.png",
    log:
        f"{LOGS}/plot_family/{{study}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/plot_family/{{study}}.tsv"
    wildcard_constraints:
        study=ESTIMATOR_STUDY_NAMES,
    params:
        study=get_study,
    script:
        "../scripts/plot_family.py"


rule plot_thermometer:
    input:
        package=get_sources("plot_thermometer"),
        style=STYLE,
        thermometer=f"{RESULTS}/studies/{{study}}.thermometer.json",
    output:
        pdf=f"{FIGURES}/{{study}}-thermometer.pdf",
        png=f"{FIGURES}/{{study}}-thermometer.png",
    log:
        f"{LOGS}/plot_thermometer/{{study}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/plot_thermometer/{{study}}.tsv"
    wildcard_constraints:
        study=ESTIMATOR_STUDY_NAMES,
    params:
        study=get_study,
    script:
        "../scripts/plot_thermometer.py"


rule plot_curves:
    input:
        package=get_sources("plot_curves"),
        style=STYLE,
        rows=f"{RESULTS}/theory/curves/{{curve}}.json",
    output:
        pdf=f"{FIGURES}/{{curve}}.pdf",
        png=f"{FIGURES}/{{curve}}.png",
    log:
        f"{LOGS}/plot_curves/{{curve}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/plot_curves/{{curve}}.tsv"
    wildcard_constraints:
        curve=CURVE_NAMES,
    script:
        "../scripts/plot_curves.py"
