"""`anarchy schema`: the JSON schemas of configuration files, and of the record of a build."""

import argparse

from anarchy.artefact.provenance.record import Provenance
from anarchy.common.files import write_text
from anarchy.common.paths import SCHEMAS, find_project
from anarchy.config.base import Model
from anarchy.config.claims.ledger import Ledger
from anarchy.config.experiment import STUDY_KINDS, Experiment
from anarchy.config.live import LiveCampaign
from anarchy.config.scenario import Scenario
from anarchy.config.settings import Settings, TraceSources
from anarchy.config.silicon import Silicon
from anarchy.config.validation import json_schema

SCHEMA_MODELS: dict[str, type[Model]] = {
    "config": Settings,
    "scenario": Scenario,
    "experiment": Experiment,
    "study": STUDY_KINDS["knee-map"],
    "estimator-study": STUDY_KINDS["estimators"],
    "traces": TraceSources,
    "live": LiveCampaign,
    "silicon": Silicon,
    "claims": Ledger,
    "provenance": Provenance,
}
"""The model of each kind of file, by the name of its schema."""


def write_schemas(_: argparse.Namespace) -> int:
    """Write every schema into the project."""
    folder = find_project() / SCHEMAS
    for name, model in SCHEMA_MODELS.items():
        write_text(folder / f"{name}.schema.json", json_schema(model))
    return 0
