"""Keep the results on recorded traces of the last full build as committed reference values.

A build that can neither find nor download a trace falls back on them. Run it after ./reproduce:

    .venv/bin/python scripts/save_reference.py

then look at the difference and commit it.
"""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from anarchy.build_plan import load_plan
from anarchy.common import paths
from anarchy.common.files import write_text
from anarchy.config.workload import Trace

NOTE = """# Reference values

Results on recorded traces, kept on {date} by `scripts/save_reference.py` from a full build. A build
that can neither find nor download a trace shows these instead and marks them.
"""


def main() -> None:
    plan = load_plan()
    names = [
        name
        for name, points in plan.points.items()
        if any(isinstance(point.scenario.workload, Trace) for point in points)
    ]
    results = plan.outputs.results
    kept = [path for name in names for path in (results / "experiments").glob(f"{name}.*")]
    kept += (results / "inputs").glob("*.json")
    for path in kept:
        target = paths.REFERENCE / path.relative_to(results)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    write_text(paths.REFERENCE / "README.md", NOTE.format(date=datetime.now(UTC).date()))
    print(f"{len(kept)} files kept in {Path(paths.REFERENCE)}")


main()
