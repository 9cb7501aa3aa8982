"""What a build makes: read from Snakemake's summary, there, whole, new and up to date."""

import os
from pathlib import Path

import pytest

from anarchy.artefact.verification.products import (
    Product,
    check_products,
    following,
    list_products,
    read_summary,
)
from anarchy.common.errors import InputError

HEAD = "output_file\tdate\trule\tlog-file(s)\tinput-file(s)\tshellcmd\tstatus\tplan"
SUMMARY = f"""\
{HEAD}
b/results/x.json\tFri\tmeasure\tl.log\tb/points.json,src/a.py\t-\tok\tno update
b/points.json\tFri\tsimulate\tl.log\t-\t-\tok\tupdate pending
b/figures/x.pdf\t-\tplot\t-\tb/results/x.json\t-\tmissing\tupdate pending
"""
GROUPS = [("figures", "b/figures"), ("files", ".")]


def product(path: str, *inputs: str, current: bool = True) -> Product:
    return Product(path, "rule", frozenset(inputs), current)


def test_a_summary_tells_rule_inputs_and_state() -> None:
    figure, points, results = read_summary(SUMMARY)
    assert (figure.path, figure.rule, figure.current) == ("b/figures/x.pdf", "plot", False)
    assert points == Product("b/points.json", "simulate", frozenset(), False)
    assert results.current
    assert results.inputs == {"b/points.json", "src/a.py"}


def test_what_follows_from_a_file_is_found_over_many_steps() -> None:
    products = read_summary(SUMMARY)
    assert following(products, ["b/points.json"]) == {"b/results/x.json", "b/figures/x.pdf"}
    assert following(products, ["b/figures/x.pdf"]) == set()


@pytest.mark.parametrize(
    ("content", "current", "fault"),
    [
        pytest.param(b"%PDF-1.5", True, "", id="whole"),
        pytest.param(b"", True, "is empty", id="empty"),
        pytest.param(b"oops", True, "is no PDF", id="another-kind"),
        pytest.param(None, True, "is not there", id="missing"),
        pytest.param(b"%PDF-1.5", False, "is out of date", id="out-of-date"),
    ],
)
def test_a_figure_is_there_and_whole(
    content: bytes | None, current: bool, fault: str, tmp_path: Path
) -> None:
    (tmp_path / "b/figures").mkdir(parents=True)
    if content is not None:
        (tmp_path / "b/figures/x.pdf").write_bytes(content)
    products = [product("b/figures/x.pdf", current=current)]
    (check,) = check_products(products, GROUPS, tmp_path, 0.0)
    assert check.group == "figures"
    assert check.why.startswith(fault)
    assert check.verdict == ("fails" if fault else "holds")


def test_what_is_older_than_the_build_was_not_made_by_it(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("[]")
    os.utime(tmp_path / "old.json", (100, 100))
    for since, why in ((99.0, ""), (101.0, "is older than this build")):
        (check,) = check_products([product("old.json")], GROUPS, tmp_path, since)
        assert (check.group, check.why) == ("files", why)


def test_a_table_of_no_rows_is_empty(tmp_path: Path) -> None:
    (tmp_path / "compare").mkdir()
    (tmp_path / "compare/a.tex").touch()
    table = product("compare/a.tex", "a.json", "a.compare.json")
    (tmp_path / "a.json").write_text("[]\n")
    for rows, why in (("[]\n", ""), ('[\n{"id": "x"}\n]\n', "is empty")):
        (tmp_path / "a.compare.json").write_text(rows)
        (check,) = check_products([table], GROUPS, tmp_path, 0.0)
        assert check.why == why


def test_a_folder_must_hold_something(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (check,) = check_products([product("logs")], GROUPS, tmp_path, 0.0)
    assert check.why == "is empty"
    (tmp_path / "logs/a").touch()
    (check,) = check_products([product("logs")], GROUPS, tmp_path, 0.0)
    assert check.why == ""


def test_rules_that_cannot_be_read_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'anarchy: config: no' >&2\nexit 2\n")
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    with pytest.raises(InputError, match="config: no"):
        list_products([], "all", tmp_path)
