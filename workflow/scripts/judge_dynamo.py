"""Judge what was measured beside Dynamo and kept as a reference."""

from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.measure.validation.dynamo.verdicts import judge_measured

with job_log(snakemake.log[0], snakemake.output):
    made_with = [
        {**row, "id": f"made-with-{row['id']}", "group": "made-with"}
        for row in read_rows(snakemake.input.made_with)
    ]
    write_rows(snakemake.output[0], judge_measured(read_rows(snakemake.input.measured)) + made_with)
