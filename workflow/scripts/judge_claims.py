"""Judge every published claim by its rule, on the results of this build."""

from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.config.claims.ledger import Ledger
from anarchy.measure.claims.verdicts import count_verdicts, judge

with job_log(snakemake.log[0], snakemake.output):
    ledger = Ledger.model_validate(snakemake.params.ledger)
    files = zip(snakemake.params.files, snakemake.input.results, strict=True)
    results = {name: read_rows(path) for name, path in files}
    verdicts, evidence = judge(ledger, results, snakemake.params.coarse)
    write_rows(snakemake.output.verdicts, verdicts)
    write_rows(snakemake.output.evidence, evidence)
    write_rows(snakemake.output.summary, count_verdicts(verdicts))
