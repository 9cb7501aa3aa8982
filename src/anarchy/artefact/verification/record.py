"""Whether the record of a build is there, complete, and true of the files that lie there now."""

from pathlib import Path

from anarchy.artefact.provenance.checks import faults
from anarchy.artefact.provenance.record import read_record
from anarchy.artefact.verification.checks import Check, check, skipped
from anarchy.common.errors import InputError

GROUP = "provenance"


def check_record(path: Path, root: Path) -> list[Check]:
    """The record of a build in the project at `root`: one check, or one for each of its faults."""
    try:
        record = read_record(path)
    except InputError as error:
        return [check(GROUP, path.name, str(error))]
    found = [fault.partition(": ") for fault in faults(record, root)]
    sums = f"{len(record.inputs)} inputs, {len(record.outputs)} outputs, {len(record.jobs)} jobs"
    checks = [check(GROUP, name, why) for name, _, why in found] or [check(GROUP, sums, "")]
    if record.commit.id is None:
        return [*checks, skipped(GROUP, "commit", "neither git nor a file says it")]
    return [*checks, check(GROUP, "commit", "", record.commit.id)]
