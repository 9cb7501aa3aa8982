"""Measure the simulator beside Dynamo's trace replay and keep the result as a reference.

    .venv/bin/python scripts/compare_with_dynamo.py             config/reference/dynamo/
    .venv/bin/python scripts/compare_with_dynamo.py --out DIR   another folder

It needs the wheel that requirements-oracle.lock pins and the Mooncake conversation trace, and takes
about a quarter of an hour on one core. The wheel cannot be seeded, so no two runs give the same
bytes: the build never measures, it judges what was kept here. Look at the difference and commit it.
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.common.files import write_rows
from anarchy.measure.validation.dynamo.measurements import Effort, measure
from anarchy.measure.validation.dynamo.replay import WHEEL, load_dynamo, wheel_version


def main() -> int:
    """Exit code 0: written; 2: the wheel or the trace is absent."""
    parser = argparse.ArgumentParser(description="Compare the simulator with Dynamo's replay.")
    parser.add_argument("--out", type=Path, default=paths.ROOT / paths.REFERENCE / "dynamo")
    options = parser.parse_args()
    try:
        load_dynamo()
        rows = measure(Effort(), lambda stage: print(stage, file=sys.stderr))
    except InputError as fault:
        print(fault, file=sys.stderr)
        return 2
    write_rows(options.out / "measured.json", rows)
    made_with = [
        {"id": "wheel", "name": WHEEL, "value": wheel_version()},
        {"id": "date", "name": "measured on", "value": str(datetime.now(UTC).date())},
    ]
    write_rows(options.out / "made-with.json", made_with)
    print(f"{len(rows)} rows kept in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
