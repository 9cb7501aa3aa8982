# The paper: its macros, its appendix and the PDF; beside it, what the build was made with and the
# index of its jobs.


rule write_numbers:
    input:
        get_number_files(),
        declared=get_number_declarations(),
    output:
        f"{GENERATED}/numbers.tex",
    log:
        f"{LOGS}/write_numbers.log",
    params:
        package=get_package("write_numbers"),
        results=get_results_folder,
        committed=get_committed_files(),
        coarse="overlay" in config,
        left_out=NUMBERS_LEFT_OUT,
    script:
        "../scripts/write_numbers.py"


rule write_appendix:
    output:
        f"{GENERATED}/appendix.tex",
    log:
        f"{LOGS}/write_appendix.log",
    params:
        package=get_package("write_appendix"),
        experiments=get_pages(),
    script:
        "../scripts/write_appendix.py"


# After all that it is about, and here: it reads in the logs of the other jobs what they took.
rule record_provenance:
    input:
        made=get_recorded,
        hashed=get_hashed_files(),
    output:
        record=RECORD[0],
        page=report(
            RECORD[1],
            caption="../report/record.rst",
            category="Paper",
            labels={"figure": "provenance", "title": "The record of the build"},
        ),
    log:
        f"{LOGS}/record_provenance.log",
    localrule: True
    params:
        package=get_package("record_provenance"),
        commit=get_commit,
        overlay=config.get("overlay"),
        settings=PLAN.settings.model_dump(mode="json"),
        logs=LOGS,
    script:
        "../scripts/record_provenance.py"


# Last of all, and here: a job elsewhere would see no other.
rule index_jobs:
    input:
        get_all_files(),
    output:
        INDEX,
    log:
        f"{LOGS}/index_jobs.log",
    localrule: True
    params:
        rows=get_index_rows,
    script:
        "../scripts/index_jobs.py"


# LaTeX finds sources, generated files and figures by name, and writes neither dates nor paths into
# the PDF.
rule typeset_paper:
    input:
        sources=get_paper_sources(),
        generated=get_generated_files(),
        figures=get_paper_figures(),
    output:
        pdf=report(
            PDF,
            caption="../report/paper.rst",
            category="Paper",
            labels={"figure": "paper", "title": "The paper"},
        ),
        log=str(Path(PDF).with_suffix(".log")),
    log:
        f"{LOGS}/typeset_paper.log",
    params:
        package=get_package("typeset_paper"),
        inputs=get_tex_inputs,
        build=get_tex_folder,
    script:
        "../scripts/typeset_paper.py"
