"""Record versions, commit, platform and the hashes of all inputs of this build."""

from pathlib import Path

from anarchy.artefact.provenance import provenance
from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log

with job_log(snakemake.log[0]):
    inputs = [Path(path) for path in snakemake.input.hashed]
    write_rows(snakemake.output[0], provenance(inputs, Path()))
