# The paper: its macros, its appendix and the PDF; beside it, what the build was made with.


rule write_numbers:
    input:
        get_number_files(),
        package=PACKAGE_ARTEFACT,
        declared=get_number_declarations(),
    output:
        f"{GENERATED}/numbers.tex",
    log:
        f"{LOGS}/write_numbers.log",
    benchmark:
        f"{MACHINE}/benchmarks/write_numbers.tsv"
    params:
        results=get_results_folder,
        committed=get_committed_files(),
        coarse="overlay" in config,
    script:
        "../scripts/write_numbers.py"


rule write_appendix:
    input:
        package=PACKAGE_ARTEFACT,
    output:
        f"{GENERATED}/appendix.tex",
    log:
        f"{LOGS}/write_appendix.log",
    benchmark:
        f"{MACHINE}/benchmarks/write_appendix.tsv"
    params:
        experiments=get_experiments(),
    script:
        "../scripts/write_appendix.py"


rule record_provenance:
    input:
        hashed=get_hashed_files(),
        package=PACKAGE_ARTEFACT,
    output:
        f"{MACHINE}/provenance.json",
    log:
        f"{LOGS}/record_provenance.log",
    benchmark:
        f"{MACHINE}/benchmarks/record_provenance.tsv"
    params:
        commit=get_commit,
    script:
        "../scripts/record_provenance.py"


# TeX works in a folder of its own, from nothing, so that no earlier run can show through. It finds
# sources, generated files and figures by name, and writes neither dates nor paths into the PDF.
rule paper:
    input:
        sources=get_paper_sources(),
        generated=get_generated_files(),
        figures=get_paper_figures(),
    output:
        pdf=PDF,
        log=str(Path(PDF).with_suffix(".log")),
    log:
        f"{LOGS}/paper.log",
    benchmark:
        f"{MACHINE}/benchmarks/paper.tsv"
    params:
        inputs=get_tex_inputs,
        build=get_tex_folder,
    shell:
        """
        rm -rf {params.build:q} && mkdir -p {params.build:q}
        export TEXINPUTS={params.inputs:q}
        export BIBINPUTS=paper:paper/references.d:
        export SOURCE_DATE_EPOCH=0 FORCE_SOURCE_DATE=1 max_print_line=1000
        latexmk -norc -pdf -Werror -e '$bibtex_fudge = 0' -outdir={params.build:q} \
            -pdflatex='pdflatex -no-shell-escape -interaction=nonstopmode -halt-on-error %O %S' \
            paper/main.tex >{log:q} 2>&1
        mv {params.build:q}/main.log {output.log:q}
        mv {params.build:q}/main.pdf {output.pdf:q}
        """
