"""Typeset the paper in a folder of its own, from nothing: no earlier run can show through."""

import shutil
from pathlib import Path

from anarchy.artefact.pdf import typeset
from anarchy.common import paths
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0], snakemake.output):
    main, build = paths.PAPER / "main.tex", Path(snakemake.params.build)
    shutil.rmtree(build, ignore_errors=True)
    build.mkdir(parents=True)
    typeset(main, snakemake.params.inputs, build)
    (build / main.with_suffix(".log").name).replace(snakemake.output.log)
    (build / main.with_suffix(".pdf").name).replace(snakemake.output.pdf)
