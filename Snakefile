# Raw configuration and inputs in, the paper's PDF out. `./reproduce` calls this; a plain
# `snakemake` works too once the environment is set up.

container: "docker://python:3.11-bookworm"


include: "workflow/rules/common.smk"
include: "workflow/rules/inputs.smk"
include: "workflow/rules/theory.smk"
include: "workflow/rules/simulation.smk"
include: "workflow/rules/measures.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/tables.smk"
include: "workflow/rules/paper.smk"
