# Raw configuration and inputs in, the paper's PDF out. `./reproduce` calls this; a plain
# `snakemake` works too once the environment is set up.


report: "workflow/report/overview.rst"


container: "docker://python:3.11-bookworm"


include: "workflow/rules/common.smk"
include: "workflow/rules/index.smk"


rule all:
    input:
        PDF,
        str(Path(PDF).with_suffix(".log")),
        INDEX,
        get_all_files(),


rule no_pdf:
    input:
        INDEX,
        get_all_files(),


onstart:
    remove_orphans()
    # Its limit of jobs per second binds nowhere, but lets Snakemake look anew for each job that has
    # ended, every second from then on.
    workflow.scheduler.job_rate_limiter = None


include: "workflow/rules/inputs.smk"
include: "workflow/rules/theory.smk"
include: "workflow/rules/simulation.smk"
include: "workflow/rules/measures.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/validation.smk"
include: "workflow/rules/silicon.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/paper.smk"


# What simulates, solves or measures goes to the nodes of a cluster, where there is one. The rest
# takes seconds, LaTeX or the network, and runs where ./reproduce does.
DISTRIBUTED = (
    "simulate_",
    "map_",
    "measure_",
    "rank_",
    "solve_",
    "check_",
    "validate",
    "compare_",
)
workflow.localrules(
    *(rule.name for rule in workflow.rules if not rule.name.startswith(DISTRIBUTED))
)
