"""A finished build as small as one can be, with all that a verification looks at."""

import shutil
from pathlib import Path

from anarchy.artefact.numbers import write_numbers
from anarchy.artefact.provenance.job_logs import Job
from anarchy.artefact.provenance.record import Provenance, record, write_record
from anarchy.artefact.verification.products import Product
from anarchy.artefact.verification.steps import Build
from anarchy.common.files import Row, write_rows
from anarchy.common.paths import ROOT, SETTINGS, Outputs
from anarchy.config.settings import load_settings

RECORD = "b/results/machine/provenance.json"

SWEEP: list[Row] = [
    {"id": "ttft", "clients": load, "value": 0.1 * load, "lo": 0.09 * load, "hi": 0.11 * load}
    for load in (1, 2, 3)
]

NUMBERS = """\
- {macro: Knee, file: experiments/sweep.json, id: knee, format: int}
- {macro: Tail, file: experiments/sweep.json, id: ttft, where: {clients: 3}, format: ms}
- {macro: Other, file: experiments/other.json, id: knee, format: int}
"""

TEXT = r"The knee of the sweep lies at \Knee{} clients, and at three the tail is \Tail{} long."


def write_pdf(path: Path, text: str) -> None:
    """A PDF of one page with these lines."""
    shown = "".join(f"({line}) Tj 0 -14 Td\n" for line in text.splitlines())
    stream = f"BT /F1 12 Tf 72 720 Td\n{shown}ET".encode("cp1252")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 5 0 R"
        b"/Resources<</Font<</F1 4 0 R>>>>>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<</Length %d>>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    body, offsets = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    path.write_bytes(
        body
        + b"xref\n0 6\n0000000000 65535 f \n%s" % table
        + b"trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(body)
    )


def finish(
    root: Path, sweep: list[Row] = SWEEP, knee: int = 97, verdict: str = "reproduced"
) -> Build:
    """Write the files of a build below `root`; its golden values are those of the first."""
    for folder in ("config", "paper/sections", "paper/numbers.d", "b/figures", "tests/golden"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for path in (ROOT / "pyproject.toml", *ROOT.glob("requirements*.lock")):
        shutil.copy(path, root)
    if not (root / "config/config.yaml").exists():
        (root / "config/config.yaml").write_text("seed: 1\n")
    (root / "paper/numbers.d/a.yaml").write_text(NUMBERS)
    (root / "paper/sections/a.tex").write_text(TEXT)
    results = root / "b/results"
    write_rows(results / "experiments/sweep.json", [*sweep, {"id": "knee", "value": knee}])
    write_rows(results / "claims.json", [{"id": "C01", "verdict": verdict}])
    declared = [root / "paper/numbers.d/a.yaml"]
    numbers = root / "b/paper/generated/numbers.tex"
    write_numbers(declared, results, numbers, coarse=True, left_out=["experiments/other.json"])
    write_pdf(
        root / "b/paper/main.pdf",
        f"The knee of the sweep lies at {knee}\nclients, and at three the tail is 300 long.",
    )
    (root / "b/figures/sweep.png").write_bytes(b"\x89PNG")
    write_record(root / RECORD, _record(root))
    build = Build(
        root=root,
        outputs=Outputs(Path("b")),
        products=_products(),
        golden=Path("tests/golden/full.json"),
        missing={},
        left_out=frozenset({"other"}),
        claimed={"C01": frozenset({"experiments/sweep.json"})},
        coarse=True,
        pdf=True,
        since=0.0,
    )
    if not (root / build.golden).exists():
        write_rows(root / build.golden, build.collect())
    return build


def _products() -> list[Product]:
    arrows = {
        "b/results/experiments/sweep.json": [],
        "b/results/claims.json": ["b/results/experiments/sweep.json"],
        "b/figures/sweep.png": ["b/results/experiments/sweep.json"],
        "b/paper/generated/numbers.tex": ["b/results/experiments/sweep.json"],
        "b/paper/main.pdf": ["b/paper/generated/numbers.tex", "b/figures/sweep.png"],
        RECORD: [],
    }
    return [Product(path, "rule", frozenset(made_of), True) for path, made_of in arrows.items()]


def _record(root: Path) -> Provenance:
    """A record by which one job made all but the record."""
    made = [product.path for product in _products() if product.path != RECORD]
    job = Job(name="all", rule="all", started=1, wall_s=1, cpu_s=1, peak_mib=1, made=made)
    return record(
        root,
        overlay=None,
        settings=load_settings(ROOT / SETTINGS),
        inputs=[Path("config/config.yaml")],
        made=made,
        jobs=[job],
    )
