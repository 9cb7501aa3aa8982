# Inputs: recorded traces, looked up or downloaded, and what is in them.


# A file that a user put there stays: `update` keeps Snakemake from deleting it before a job. The
# package is no input either, because a change of it must not ask for the network.
rule fetch_trace:
    output:
        update(f"{paths.TRACE_CACHE}/{{file}}"),
    log:
        f"{LOGS}/fetch_trace/{{file}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/fetch_trace/{{file}}.tsv"
    wildcard_constraints:
        file="|".join(map(re.escape, TRACE_SOURCES)),
    params:
        source=get_trace_source,
    script:
        "../scripts/fetch_trace.py"


rule describe_trace:
    input:
        package=get_sources("describe_trace"),
        trace=get_trace_file,
    output:
        f"{RESULTS}/inputs/{{trace}}.json",
    log:
        f"{LOGS}/describe_trace/{{trace}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/describe_trace/{{trace}}.tsv"
    params:
        source=get_trace_source,
    script:
        "../scripts/describe_trace.py"


rule restore_reference:
    input:
        f"{REFERENCE}/{{kind}}/{{name}}.json",
    output:
        f"{RESULTS}/{{kind}}/{{name}}.json",
    log:
        f"{LOGS}/restore_reference/{{kind}}/{{name}}.log",
    benchmark:
        f"{MACHINE}/benchmarks/restore_reference/{{kind}}/{{name}}.tsv"
    wildcard_constraints:
        kind="experiments|inputs",
        name=LOST,
    shell:
        "cp {input:q} {output:q} 2>{log:q}"
