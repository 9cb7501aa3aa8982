"""Judge the controlled runs that were measured live beside the simulator."""

from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.config.live import ControlledRun
from anarchy.measure.validation.live.controlled_verdicts import judge_controlled_runs

with job_log(snakemake.log[0], snakemake.output):
    made_with = [
        {**row, "id": f"made-with-{row['id']}", "group": "made-with"}
        for row in read_rows(snakemake.input.made_with)
    ]
    judged = judge_controlled_runs(
        read_rows(snakemake.input.measured),
        read_rows(snakemake.input.simulated),
        [ControlledRun.model_validate(run) for run in snakemake.params.runs],
    )
    write_rows(snakemake.output[0], judged + made_with)
