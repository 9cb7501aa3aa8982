"""Numbers read back from the text of a PDF: each at its place, and a doctored one is found."""

from pathlib import Path

import pytest

from anarchy.artefact.verification.checks import failures
from anarchy.artefact.verification.printed import (
    check_pdf,
    check_use,
    normalised,
    read_macros,
    spoken,
    uses,
)
from tests.artefact.verification.builds import write_pdf

MACROS = {
    "Knee": "97",
    "Tail": "30.5",
    "Many": "1{,}234",
    "Loss": r"\ensuremath{-0.25}",
    "Tiny": r"\ensuremath{1.2\times 10^{-5}}",
    "Share": "5/2",
    "Range": r"[\ensuremath{-1}, 2.5]",
    "Word": "reproduced",
    "Gap": "--",
    "Old": r"\committed{12}",
}
SOURCE = r"""
% A comment with \Knee{} of no account.
The knee lies at \Knee{} clients \citep[p.~3]{a2026}, and \emph{beyond} it the tail of TTFT grows
to \Tail{}\,s; \Many{} requests were run. It changes by $\Loss{}$ of the mean.
The claim is \Word{}. A \given{512}th of the \Share{} is lost.
"""
TEXT = """The knee lies at 97 clients [25], and be-
yond it the tail of TTFT grows
to 30.5 s; 1,234 requests were run. It changes by −0.25 of the mean.
The claim is reproduced. A 512th of the 5/2 is lost."""


def faults(text: str, source: str = SOURCE) -> dict[str, str]:
    """What is wrong with a text, by macro."""
    shown = normalised(text)
    checks = [
        (use.macro, check_use(use, MACROS[use.macro], shown))
        for use in uses(source, "a.tex", MACROS)
    ]
    return {macro: each.why for macro, each in checks if each.verdict == "fails"}


def test_a_text_that_shows_every_number_holds() -> None:
    assert [use.macro for use in uses(SOURCE, "a.tex", MACROS)] == [
        "Knee", "Tail", "Many", "Loss", "Word", "Share",
    ]  # fmt: skip
    assert faults(TEXT) == {}


@pytest.mark.parametrize(
    ("right", "wrong", "macro", "there"),
    [
        pytest.param("97", "98", "Knee", "98", id="digit"),
        pytest.param("97", "975", "Knee", "975", id="digit-more"),
        pytest.param("97", "7", "Knee", "7", id="digit-less"),
        pytest.param("97", "97.5", "Knee", "97.5", id="fraction-more"),
        pytest.param("30.5", "305", "Tail", "305", id="no-point"),
        pytest.param("1,234", "1,243", "Many", "1243", id="exchanged"),
        pytest.param("−0.25", "0.25", "Loss", "0.25", id="sign"),
        pytest.param("5/2", "5/3", "Share", "5/3", id="stroke"),
        pytest.param("is reproduced", "is contradicted", "Word", "contradicted", id="word"),
    ],
)
def test_a_doctored_number_is_found_and_named(
    right: str, wrong: str, macro: str, there: str
) -> None:
    found = faults(TEXT.replace(right, wrong))
    assert [*found] == [macro]
    assert there in found[macro]
    assert normalised(spoken(MACROS[macro])) in found[macro]


def test_a_number_elsewhere_in_the_text_does_not_count() -> None:
    assert [*faults(TEXT.replace("97 clients", "98 clients") + " Elsewhere 97 too.")] == ["Knee"]


def test_a_page_break_beside_a_number_does_not_matter() -> None:
    assert faults(TEXT.replace("at 97", "at\n12\n97")) == {}
    assert faults(TEXT.replace("97 clients", "97\n12\nclients")) == {}


@pytest.mark.parametrize("word", ["largest", "is", "grows"])
def test_a_figure_near_a_number_does_not_matter(word: str) -> None:
    source = (
        r"So it is of all, and the largest distance is \Knee{}, which grows, and \Tail{} for ours."
    )
    text = (
        "So it is of all, and the largest distance is 97, which grows, and 30.5 for ours of them."
    )
    broken = text.replace(f" {word}", f" 30 Figure 11 {word}")
    assert faults(broken, source) == {}
    assert [*faults(broken.replace("97", "98"), source)] == ["Knee"]


def test_a_number_alone_in_math_must_be_there_and_no_part_of_another() -> None:
    source = r"\[\frac{\Knee{}}{\Sigma}\]"
    assert faults("so 97 it is", source) == {}
    for wrong in ("so 975 it is", "so 1.97 it is", "so −97 it is", ""):
        assert [*faults(wrong, source)] == ["Knee"], wrong


def test_a_gap_of_a_coarse_build_is_not_checked() -> None:
    (use,) = uses(r"The knee lies at \Gap{} clients", "a.tex", MACROS)
    assert check_use(use, MACROS["Gap"], "anything").verdict == "not checked"


def test_a_gap_beside_a_number_is_no_part_of_its_place() -> None:
    source = r"it gives $\Gap{}$ at $9$, $\Tail{}$ at $11$ and $\Gap{}$ again"
    assert faults("it gives −− at 9, 30.5 at 11 and −− again", source) == {}
    assert [*faults("it gives −− at 9, 30.6 at 11 and −− again", source)] == ["Tail"]


def test_places_are_lines_of_the_source() -> None:
    assert [use.place for use in uses(SOURCE, "a.tex", MACROS)][:2] == ["a.tex:3", "a.tex:4"]


@pytest.mark.parametrize(
    ("macro", "shown"),
    [
        ("Many", "1234"),
        ("Loss", "−0.25"),
        ("Tiny", "1.2|10−5"),
        ("Share", "5/2"),
        ("Range", "−1|2.5"),
        ("Old", "12"),
    ],
)
def test_a_definition_and_its_print_are_normalised_alike(macro: str, shown: str) -> None:
    printed = {"Tiny": "1.2 × 10−5", "Range": "[−1, 2.5]", "Many": "1,234", "Old": "12†"}
    assert normalised(spoken(MACROS[macro])) == shown
    assert normalised(printed.get(macro, shown)) == shown


def test_ligatures_and_hyphens_do_not_matter() -> None:
    assert normalised("the coef-\nﬁcient, 1.5 (2)") == "thecoefficient1.5|2"


def test_macros_are_read_from_their_file() -> None:
    text = "% head\n" + "".join(rf"\newcommand{{\{m}}}{{{t}}}" + "\n" for m, t in MACROS.items())
    assert read_macros(text) == MACROS


def test_a_pdf_is_read(tmp_path: Path) -> None:
    source, pdf = tmp_path / "a.tex", tmp_path / "main.pdf"
    source.write_text(r"The knee lies at \Knee{} clients and the tail at \Tail{}\,s.")
    write_pdf(pdf, "The knee lies at 97\nclients and the tail at 30.5 s.")
    checks = check_pdf(pdf, [source], MACROS)
    assert [each.verdict for each in checks] == ["holds", "holds"]
    pdf.write_bytes(pdf.read_bytes().replace(b"at 97", b"at 79"))
    (failed,) = failures(check_pdf(pdf, [source], MACROS))
    assert failed.name == "a.tex:1 Knee"
    assert failed.why == "the macro is 97, the PDF shows 79"


@pytest.mark.parametrize("content", [None, b"", b"no PDF"], ids=["missing", "empty", "another"])
def test_what_is_no_pdf_fails(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "main.pdf").write_bytes(content)
    (check,) = check_pdf(tmp_path / "main.pdf", [], MACROS)
    assert check.verdict == "fails"
    assert check.why.startswith("cannot be read")
