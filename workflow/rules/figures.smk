# Figures, as vector PDF and as PNG in one style, and the tables of the same results: LaTeX
# environments with caption and label, read by the paper with \input.

STYLE = "figures/style.mplstyle"


rule show_experiment:
    input:
        style=STYLE,
        measures=f"{RESULTS}/experiments/{{experiment}}.json",
        knees=f"{RESULTS}/experiments/{{experiment}}.knees.json",
        compare=f"{RESULTS}/experiments/{{experiment}}.compare.json",
        spread=f"{RESULTS}/experiments/{{experiment}}.spread.json",
    output:
        pdf=f"{FIGURES}/{{experiment}}.pdf",
        png=report(
            f"{FIGURES}/{{experiment}}.png",
            caption="../report/experiment.rst",
            category="Experiments",
            labels=label_experiment,
        ),
        points=f"{GENERATED}/tables/experiments/{{experiment}}.tex",
        knees=f"{GENERATED}/tables/knees/{{experiment}}.tex",
        compare=f"{GENERATED}/tables/compare/{{experiment}}.tex",
        spread=f"{GENERATED}/tables/spread/{{experiment}}.tex",
    log:
        f"{LOGS}/show_experiment/{{experiment}}.log",
    wildcard_constraints:
        experiment=EXPERIMENT_NAMES,
    params:
        package=get_package("show_experiment"),
        experiment=get_experiment,
    script:
        "../scripts/show_experiment.py"


rule show_study:
    input:
        style=STYLE,
        knees=f"{RESULTS}/studies/{{study}}.json",
        limits=f"{RESULTS}/studies/{{study}}.limits.json",
        facts=f"{RESULTS}/studies/{{study}}.facts.json",
    output:
        pdf=f"{FIGURES}/{{study}}.pdf",
        png=report(
            f"{FIGURES}/{{study}}.png",
            caption="../report/study.rst",
            category="Studies",
            labels=label_study,
        ),
        feasible=f"{GENERATED}/tables/studies/{{study}}.tex",
        facts=f"{GENERATED}/tables/facts/{{study}}.tex",
    log:
        f"{LOGS}/show_study/{{study}}.log",
    wildcard_constraints:
        study=KNEE_MAP_NAMES,
    params:
        package=get_package("show_study"),
        study=get_study,
    script:
        "../scripts/show_study.py"


rule show_family:
    input:
        style=STYLE,
        members=f"{RESULTS}/{{study}}.json",
        curves=f"{RESULTS}/studies/{{study}}.curves.json",
        summary=f"{RESULTS}/studies/{{study}}.summary.json",
        thermometer=f"{RESULTS}/studies/{{study}}.thermometer.json",
    output:
        pdf=f"{FIGURES}/{{study}}.pdf",
        png=report(
            f"{FIGURES}/{{study}}.png",
            caption="../report/study.rst",
            category="Studies",
            labels=label_study,
        ),
        thermometer_pdf=f"{FIGURES}/{{study}}-thermometer.pdf",
        thermometer_png=report(
            f"{FIGURES}/{{study}}-thermometer.png",
            caption="../report/study.rst",
            category="Studies",
            labels=label_thermometer,
        ),
        members=f"{GENERATED}/tables/studies/{{study}}.tex",
        properties=f"{GENERATED}/tables/facts/{{study}}.tex",
        thermometer=f"{GENERATED}/tables/thermometers/{{study}}.tex",
    log:
        f"{LOGS}/show_family/{{study}}.log",
    wildcard_constraints:
        study=ESTIMATOR_STUDY_NAMES,
    params:
        package=get_package("show_family"),
        study=get_study,
    script:
        "../scripts/show_family.py"


rule plot_curves:
    input:
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
    params:
        package=get_package("plot_curves"),
    script:
        "../scripts/plot_curves.py"
