"""Record what this build was made with and from, and what each of its jobs took."""

from pathlib import Path

from anarchy.artefact.provenance.job_logs import read_jobs
from anarchy.artefact.provenance.page import page
from anarchy.artefact.provenance.record import record, write_record
from anarchy.common.files import write_text
from anarchy.common.jobs import job_log
from anarchy.config.settings import Settings

with job_log(snakemake.log[0], snakemake.output):
    params = snakemake.params
    provenance = record(
        Path(),
        overlay=params.overlay,
        settings=Settings.model_validate(params.settings),
        inputs=[Path(path) for path in snakemake.input.hashed],
        made=list(snakemake.input.made),
        jobs=read_jobs(Path(params.logs)),
    )
    write_record(Path(snakemake.output.record), provenance)
    write_text(snakemake.output.page, page(provenance))
