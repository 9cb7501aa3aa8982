"""Judge what was measured live beside the simulator."""

from anarchy.common.files import read_rows, write_rows
from anarchy.common.jobs import job_log
from anarchy.config.live import LivePoint
from anarchy.measure.validation.live.verdicts import judge_live

with job_log(snakemake.log[0], snakemake.output):
    made_with = [
        {**row, "id": f"made-with-{row['id']}", "group": "made-with"}
        for row in read_rows(snakemake.input.made_with)
    ]
    simulated = [row for path in snakemake.input.simulated for row in read_rows(path)]
    points = [LivePoint.model_validate(point) for point in snakemake.params.points]
    judged = judge_live(read_rows(snakemake.input.measured), simulated, points)
    write_rows(snakemake.output[0], judged + made_with)
