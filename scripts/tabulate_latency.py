"""Make the measured tables of config/latency from the cells in config/reference/silicon.

    python scripts/tabulate_latency.py                   write all tables
    python scripts/tabulate_latency.py NAME ...          write some
    python scripts/tabulate_latency.py --check           compare with the committed ones instead

NAME is a file of config/reference/silicon without its ending; its table is NAME-measured.
"""

import argparse
import sys

from anarchy.common.errors import InputError
from anarchy.common.files import write_text
from anarchy.common.paths import LATENCY, REFERENCE, ROOT
from anarchy.serving.service_times.measured import tabulate
from anarchy.serving.service_times.table_files import table_text


def main() -> int:
    """Exit code 0: done; 1: a table differs; 2: bad measurements, or an unknown name."""
    shards = {path.stem: path for path in sorted((ROOT / REFERENCE / "silicon").glob("*.json"))}
    parser = argparse.ArgumentParser(description="Make latency tables of measured cells.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(shards))
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    options = parser.parse_args()
    unknown = set(options.names) - set(shards)
    if unknown:
        parser.error(f"unknown name {sorted(unknown)[0]}; allowed: {', '.join(shards)}")
    differ = False
    for name in options.names or shards:
        table = ROOT / LATENCY / f"{name}-measured.json"
        try:
            text = table_text(tabulate(shards[name], ROOT))
        except InputError as fault:
            print(fault, file=sys.stderr)
            return 2
        if not options.check:
            write_text(table, text)
            print(f"{table.stem}: written")
        elif table.read_text(encoding="utf-8") == text:
            print(f"{table.stem}: reproduced")
        else:
            print(f"{table.stem}: differs")
            differ = True
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
