# The ledger: every published claim is held against the results of the build.


rule judge_claims:
    input:
        package=get_sources("judge_claims"),
        results=get_claimed().values(),
    output:
        verdicts=f"{RESULTS}/claims.json",
        evidence=f"{RESULTS}/claims.evidence.json",
    log:
        f"{LOGS}/judge_claims.log",
    benchmark:
        f"{MACHINE}/benchmarks/judge_claims.tsv"
    params:
        ledger=PLAN.claims.model_dump(mode="json"),
        files=[*get_claimed()],
        coarse="overlay" in config,
    script:
        "../scripts/judge_claims.py"


rule tabulate_claims:
    input:
        package=get_sources("tabulate_claims"),
        rows=f"{RESULTS}/claims.json",
    output:
        f"{GENERATED}/tables/claims.tex",
    log:
        f"{LOGS}/tabulate_claims.log",
    benchmark:
        f"{MACHINE}/benchmarks/tabulate_claims.tsv"
    script:
        "../scripts/tabulate_claims.py"
