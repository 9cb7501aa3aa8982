# Inputs: recorded traces, looked up or downloaded, and what is in them.


# A file that a user put there stays: `update` keeps Snakemake from deleting it before a job. The
# package is no parameter either, because a change of it must not ask for the network.
rule fetch_trace:
    output:
        update(f"{paths.TRACE_CACHE}/{{file}}"),
    log:
        f"{LOGS}/fetch_trace/{{file}}.log",
    wildcard_constraints:
        file="|".join(map(re.escape, TRACE_SOURCES)),
    params:
        source=get_trace_source,
    script:
        "../scripts/fetch_trace.py"


rule describe_trace:
    input:
        trace=get_trace_file,
    output:
        f"{RESULTS}/inputs/{{trace}}.json",
    log:
        f"{LOGS}/describe_trace/{{trace}}.log",
    params:
        package=get_package("describe_trace"),
        source=get_trace_source,
    script:
        "../scripts/describe_trace.py"


rule restore_reference:
    input:
        reference=f"{REFERENCE}/{{kind}}/{{name}}.json",
    output:
        f"{RESULTS}/{{kind}}/{{name}}.json",
    log:
        f"{LOGS}/restore_reference/{{kind}}/{{name}}.log",
    wildcard_constraints:
        kind="experiments|inputs",
        name=LOST,
    params:
        package=get_package("restore_reference"),
    script:
        "../scripts/restore_reference.py"
