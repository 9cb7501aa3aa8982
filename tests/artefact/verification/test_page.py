"""The page of a verification: whole, inert, and needing nothing else."""

from pathlib import Path

from anarchy.artefact.verification.checks import Check, check, skipped
from anarchy.artefact.verification.page import write_report
from anarchy.common.files import read_rows

HOLDS = check("files", "a.json", "")
FAILS = check("numbers", "<script>Knee", "1 -> 2", 2.0, 1.0)
SKIPPED = skipped("PDF", "main.pdf", "LaTeX is not at hand")
MOVED = {"figures": ["sweep", "<b>"], "claims": ["C01"]}


def page(folder: Path, *checks: Check, moved: dict[str, list[str]] = MOVED) -> str:
    return write_report(folder, "Of <it>", checks, moved).read_text(encoding="utf-8")


def test_every_check_has_its_line_and_failures_come_first(tmp_path: Path) -> None:
    text = page(tmp_path, HOLDS, FAILS, SKIPPED)
    assert "1 check fails." in text
    assert text.index("&lt;script&gt;Knee") < text.index("a.json")
    assert "LaTeX is not at hand" in text
    assert "sweep; &lt;b&gt;" in text


def test_the_page_is_inert_and_loads_nothing(tmp_path: Path) -> None:
    text = page(tmp_path, HOLDS, FAILS)
    for piece in ("<script", "<b>", "<it>", "http", "src=", "href="):
        assert piece not in text


def test_where_all_holds_the_page_says_so(tmp_path: Path) -> None:
    text = page(tmp_path, HOLDS, SKIPPED, moved={})
    assert "Everything that was checked holds." in text
    assert "What moved" not in text


def test_rows_have_every_check_and_everything_that_moved(tmp_path: Path) -> None:
    page(tmp_path, HOLDS, FAILS, SKIPPED)
    rows = read_rows(tmp_path / "verify.json")
    assert [row.get("verdict") for row in rows] == [
        "holds",
        "fails",
        "not checked",
        None,
        None,
        None,
    ]
    assert [row["name"] for row in rows[3:]] == ["sweep", "<b>", "C01"]
