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
        png=report(
            f"{FIGURES}/{{experiment}}.png",
            caption="../report/experiment.rst",
            category="Experiments",
            labels=label_experiment,
        ),
    log:
        f"{LOGS}/plot_experiment/{{experiment}}.log",
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
        png=report(
            f"{FIGURES}/{{study}}.png",
            caption="../report/study.rst",
            category="Studies",
            labels=label_study,
        ),
    log:
        f"{LOGS}/plot_study/{{study}}.log",
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
        png=report(
            f"{FIGURES}/{{study}}.png",
            caption="../report/study.rst",
            category="Studies",
            labels=label_study,
        ),
    log:
        f"{LOGS}/plot_family/{{study}}.log",
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
        png=report(
            f"{FIGURES}/{{study}}-thermometer.png",
            caption="../report/study.rst",
            category="Studies",
            labels=label_thermometer,
        ),
    log:
        f"{LOGS}/plot_thermometer/{{study}}.log",
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
        png=report(
            f"{FIGURES}/{{curve}}.png",
            caption="../report/curve.rst",
            category="Theory",
            labels=label_curve,
        ),
    log:
        f"{LOGS}/plot_curves/{{curve}}.log",
    wildcard_constraints:
        curve=CURVE_NAMES,
    script:
        "../scripts/plot_curves.py"
