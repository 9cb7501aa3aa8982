# Validation: the simulator against closed forms and conservation laws, one job per group; a last
# one judges all checks together.


rule validate:
    input:
        latency=sorted(
            {
                str(path)
                for name in SCENARIOS
                for path in latency_sources(
                    paths.LATENCY, PLAN.scenarios[name].model.latency
                )
            }
        ),
    output:
        f"{RESULTS}/validation/{{group}}.json",
    log:
        f"{LOGS}/validate/{{group}}.log",
    wildcard_constraints:
        group="|".join(GROUPS),
    params:
        package=get_package("validate"),
        seed=PLAN.settings.seed,
        effort=effort(PLAN.settings),
        scenarios={
            name: PLAN.scenarios[name].model_dump(mode="json") for name in SCENARIOS
        },
    script:
        "../scripts/validate.py"


rule judge_validation:
    input:
        groups=[f"{RESULTS}/validation/{group}.json" for group in GROUPS],
    output:
        f"{RESULTS}/validation.json",
    log:
        f"{LOGS}/judge_validation.log",
    params:
        package=get_package("judge_validation"),
    script:
        "../scripts/judge_validation.py"


rule tabulate_validation:
    input:
        style=STYLE,
        rows=f"{RESULTS}/validation.json",
    output:
        table=f"{GENERATED}/tables/validation.tex",
        pdf=f"{FIGURES}/validation.pdf",
        png=report(
            f"{FIGURES}/validation.png",
            caption="../report/comparison.rst",
            category="Comparisons",
            labels=label_figure("validation", "validation"),
        ),
    log:
        f"{LOGS}/tabulate_validation.log",
    params:
        package=get_package("tabulate_validation"),
    script:
        "../scripts/tabulate_validation.py"


# The other simulator's wheel is optional and cannot be seeded: what was measured with it is kept in
# the project, and a build judges that.
rule judge_dynamo:
    input:
        measured=f"{REFERENCE}/dynamo/measured.json",
        made_with=f"{REFERENCE}/dynamo/made-with.json",
    output:
        f"{RESULTS}/dynamo.json",
    log:
        f"{LOGS}/judge_dynamo.log",
    params:
        package=get_package("judge_dynamo"),
    script:
        "../scripts/judge_dynamo.py"


rule tabulate_dynamo:
    input:
        rows=f"{RESULTS}/dynamo.json",
    output:
        f"{GENERATED}/tables/dynamo.tex",
    log:
        f"{LOGS}/tabulate_dynamo.log",
    params:
        package=get_package("tabulate_dynamo"),
    script:
        "../scripts/tabulate_dynamo.py"


# The real Dynamo 0.9.0 runs live, in real time and in an environment of its own: a build simulates
# the same points and judges what was measured.
rule simulate_live:
    input:
        latency=get_live_latency_files,
        measured=f"{REFERENCE}/live/measured.json",
    output:
        f"{RESULTS}/live/{{part}}.json",
    log:
        f"{LOGS}/simulate_live/{{part}}.log",
    params:
        package=get_package("simulate_live"),
        points=get_live_points,
        alone=get_live_client_alone(),
        runs=get_live_runs(),
    script:
        "../scripts/simulate_live.py"


rule judge_live:
    input:
        measured=f"{REFERENCE}/live/measured.json",
        made_with=f"{REFERENCE}/live/made-with.json",
        simulated=list_live(),
    output:
        f"{RESULTS}/live.json",
    log:
        f"{LOGS}/judge_live.log",
    params:
        package=get_package("judge_live"),
        points=[point.model_dump(mode="json") for point in PLAN.live],
    script:
        "../scripts/judge_live.py"


rule tabulate_live:
    input:
        style=STYLE,
        rows=f"{RESULTS}/live.json",
    output:
        table=f"{GENERATED}/tables/live.tex",
        pdf=f"{FIGURES}/live.pdf",
        png=report(
            f"{FIGURES}/live.png",
            caption="../report/comparison.rst",
            category="Comparisons",
            labels=label_figure("live", "live"),
        ),
    log:
        f"{LOGS}/tabulate_live.log",
    params:
        package=get_package("tabulate_live"),
    script:
        "../scripts/tabulate_live.py"


# The controller on the real router: a build goes through the same phases and judges what came.
rule simulate_live_control:
    input:
        latency=get_controlled_latency_files,
        measured=f"{REFERENCE}/live/control.json",
    output:
        f"{RESULTS}/live-control/runs.json",
    log:
        f"{LOGS}/simulate_live_control.log",
    params:
        package=get_package("simulate_live_control"),
        runs=get_controlled_runs(),
        repeated={
            "seed": PLAN.settings.seed,
            "replications": PLAN.settings.replications,
        },
    script:
        "../scripts/simulate_live_control.py"


rule judge_live_control:
    input:
        measured=f"{REFERENCE}/live/control.json",
        made_with=f"{REFERENCE}/live/control-made-with.json",
        simulated=f"{RESULTS}/live-control/runs.json",
    output:
        f"{RESULTS}/live-control.json",
    log:
        f"{LOGS}/judge_live_control.log",
    params:
        package=get_package("judge_live_control"),
        runs=get_controlled_runs(),
    script:
        "../scripts/judge_live_control.py"


rule tabulate_live_control:
    input:
        style=STYLE,
        rows=f"{RESULTS}/live-control.json",
    output:
        table=f"{GENERATED}/tables/live-control.tex",
        pdf=f"{FIGURES}/live-control.pdf",
        png=report(
            f"{FIGURES}/live-control.png",
            caption="../report/comparison.rst",
            category="Comparisons",
            labels=label_figure("live-control", "live_control"),
        ),
    log:
        f"{LOGS}/tabulate_live_control.log",
    params:
        package=get_package("tabulate_live_control"),
    script:
        "../scripts/tabulate_live_control.py"
