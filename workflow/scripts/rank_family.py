"""Hold a family of estimators against the published properties of the index."""

import numpy as np

from anarchy.common.files import write_rows
from anarchy.common.jobs import job_log
from anarchy.config.estimator import EstimatorStudy
from anarchy.measure.estimators.ranking import (
    curve_rows,
    member_rows,
    summary_rows,
    survivors,
    thermometer_rows,
)
from anarchy.measure.estimators.signature import Readings

with job_log(snakemake.log[0], snakemake.output):
    study = EstimatorStudy.model_validate(snakemake.params.study)
    parts = np.stack([np.load(path) for path in snakemake.input.parts])
    readings = Readings(study, parts.reshape(len(study.scenarios), -1, *parts.shape[1:]))
    rows = member_rows(readings)
    write_rows(snakemake.output.members, rows)
    write_rows(snakemake.output.curves, curve_rows(readings, survivors(study, rows)))
    write_rows(snakemake.output.thermometer, thermometer_rows(readings, rows))
    write_rows(snakemake.output.summary, summary_rows(readings, rows))
