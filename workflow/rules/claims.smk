# The ledger: every published claim is held against the results of the build.


rule judge_claims:
    input:
        results=get_claimed().values(),
    output:
        verdicts=report(
            f"{RESULTS}/claims.json",
            caption="../report/claims.rst",
            category="Paper",
            labels={"figure": "claims", "title": "Verdicts on the published claims"},
        ),
        evidence=f"{RESULTS}/claims.evidence.json",
        summary=f"{RESULTS}/claims.summary.json",
    log:
        f"{LOGS}/judge_claims.log",
    params:
        package=get_package("judge_claims"),
        ledger=get_ledger,
        files=[*get_claimed()],
        coarse="overlay" in config,
    script:
        "../scripts/judge_claims.py"


# The identity of the closed loop is asked of the concurrency sweep.
rule rule_out:
    input:
        latency=get_tables(PLAN.points.get("concurrency", ())),
        sweep=f"{RESULTS}/experiments/concurrency.json",
        variants=[f"{RESULTS}/experiments/{name}.json" for name in MECHANISMS],
        compared=[f"{RESULTS}/experiments/{name}.compare.json" for name in MECHANISMS],
    output:
        pairs=f"{RESULTS}/rule-outs.json",
        mechanisms=f"{RESULTS}/rule-outs.mechanisms.json",
    log:
        f"{LOGS}/rule_out.log",
    params:
        package=get_package("rule_out"),
        ledger=get_ledger,
        scenarios=get_swept_scenarios(),
        experiments=[
            PLAN.experiments[name].model_dump(mode="json") for name in MECHANISMS
        ],
    script:
        "../scripts/rule_out.py"


rule tabulate_claims:
    input:
        claims=f"{RESULTS}/claims.json",
        pairs=f"{RESULTS}/rule-outs.json",
        mechanisms=f"{RESULTS}/rule-outs.mechanisms.json",
    output:
        claims=f"{GENERATED}/tables/claims.tex",
        pairs=f"{GENERATED}/tables/rule-outs.tex",
        mechanisms=f"{GENERATED}/tables/mechanisms.tex",
    log:
        f"{LOGS}/tabulate_claims.log",
    params:
        package=get_package("tabulate_claims"),
    script:
        "../scripts/tabulate_claims.py"
