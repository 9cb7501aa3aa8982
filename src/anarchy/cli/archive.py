"""`anarchy archive`: the deposit of a build, which is unpacked elsewhere and checked at once."""

import argparse
import tempfile
from pathlib import Path
from typing import Any


def add_archive(commands: Any) -> None:
    """Add the command to those of `anarchy`."""
    parser = commands.add_parser(
        "archive",
        help="put sources, configuration, results and paper into one archive for a DOI",
        description="Write a deposit of a finished build, unpack it elsewhere and check it there. "
        "The same content gives the same bytes.",
    )
    parser.add_argument(
        "--overlay", type=Path, metavar="FILE", help="of the build made with these settings"
    )
    parser.add_argument("--logs", action="store_true", help="with the logs of single requests")
    parser.add_argument(
        "--changes",
        action="store_true",
        help="though tracked files differ from the commit; the deposit then says so",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        default=Path("build/deposit"),
        help="where the archive goes (default: %(default)s)",
    )
    parser.set_defaults(run=_archive)


def _archive(options: argparse.Namespace) -> int:
    from anarchy.artefact.explanation.jobs import read_jobs
    from anarchy.artefact.provenance.deposit import lay_out, plan_deposit
    from anarchy.artefact.provenance.deposit_checks import deposit_faults
    from anarchy.artefact.provenance.packing import pack, unpack
    from anarchy.artefact.provenance.record import sha256, span
    from anarchy.common.errors import InputError
    from anarchy.common.paths import SETTINGS, Outputs, find_project
    from anarchy.config.settings import load_settings

    root = find_project()
    outputs = Outputs(Path(load_settings(root / SETTINGS, options.overlay).output))
    deposit = plan_deposit(root, outputs, logs=options.logs, changes=options.changes)
    jobs = read_jobs(root / outputs.machine / "jobs.json").jobs.values()
    reads = {job.name: (*job.configs, *job.inputs) for job in jobs}
    archive = root / options.out / f"{deposit.name}.tar.gz"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / deposit.name
        lay_out(root, deposit, folder, reads)
        pack(folder, archive, int(span(deposit.provenance.jobs)[1]))
    with tempfile.TemporaryDirectory() as place:
        folder = unpack(archive, Path(place))
        files = sum(path.is_file() for path in folder.rglob("*"))
        for fault in (found := deposit_faults(folder, deposit)):
            print(fault)
    if found:
        archive.unlink()
        raise InputError(f"{archive}: unpacked elsewhere it had {len(found)} faults, so it is gone")
    print(f"{archive}: {archive.stat().st_size / 1e6:.1f} MB, {files} files")
    print(f"SHA-256 {sha256(archive)}")
    print("unpacked elsewhere and checked: checksums, crate, record, configuration")
    return 0
