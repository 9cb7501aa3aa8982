"""LaTeX has its own environment, ends, and says in one line why it did not succeed."""

import shutil
from pathlib import Path

import pytest

from anarchy.artefact.pdf import environment, typeset
from anarchy.common.errors import InputError

needs_latex = pytest.mark.skipif(
    not (shutil.which("latexmk") and shutil.which("pdflatex")), reason="LaTeX is not installed"
)


def paper(folder: Path, text: str) -> Path:
    path = folder / "main.tex"
    start = "\\documentclass{article}\\pdfinfoomitdate=1\\pdftrailerid{}\\pdfsuppressptexinfo=-1"
    path.write_text(f"{start}\n{text}\n")
    return path


def test_a_users_variables_do_not_reach_latex(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TEXINPUTS", "TEXMFHOME", "TEXMF", "openout_any", "shell_escape", "HOME"):
        monkeypatch.setenv(name, "/elsewhere")
    variables = environment(["paper", "figures"])
    assert "/elsewhere" not in variables.values()
    assert variables["TEXINPUTS"] == "paper:figures:"
    assert (variables["openout_any"], variables["shell_escape"]) == ("p", "f")


@needs_latex
def test_a_users_packages_do_not_change_the_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "\\usepackage{verbatim}\\begin{document}a\\ifdefined\\mine b\\fi\\end{document}"
    source = paper(tmp_path, text)
    typeset(source, ["."], Path("first"))
    own = tmp_path / "home/texmf/tex/latex/x/verbatim.sty"
    own.parent.mkdir(parents=True)
    own.write_text("\\def\\mine{}\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    typeset(source, ["."], Path("second"))
    first, second = (Path(name, "main.pdf").read_bytes() for name in ("first", "second"))
    assert first == second
    assert first.startswith(b"%PDF-")


@needs_latex
def test_latex_writes_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the installation or the user would let it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("openout_any", "a")
    monkeypatch.setenv("shell_escape", "t")
    outside = tmp_path / "outside"
    text = f"\\begin{{document}}a\\immediate\\write18{{touch {outside}}}"
    typeset(paper(tmp_path, text + "\\end{document}"), ["."], Path("build"))
    text += f"\\newwrite\\w\\immediate\\openout\\w={outside} \\immediate\\write\\w{{a}}"
    with pytest.raises(InputError, match="LaTeX failed"):
        typeset(paper(tmp_path, text + "\\end{document}"), ["."], Path("build"))
    assert not list(tmp_path.glob("outside*"))


@needs_latex
def test_the_second_run_has_all_citations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what is not cited is not listed in the end, though the first run had it."""
    monkeypatch.chdir(tmp_path)
    entry = "@misc{%s, author={%s}, title={A title}, year={2000}}\n"
    text = "\\begin{document}\\cite{one}\n\\bibliographystyle{plain}\n\\bibliography{known}\n"
    source, build = paper(tmp_path, text + "\\end{document}"), Path("build")
    Path("known.bib").write_text(entry % ("one", "Somebody"))
    typeset(source, ["."], build)
    assert capsys.readouterr().out.count("of rule 'pdflatex'") == 2
    Path("known.bib").write_text(entry % ("other", "Nobody") + entry % ("one", "Somebody"))
    shutil.rmtree(build)
    typeset(source, ["."], build)
    assert "undefined" not in (build / "main.log").read_text().lower()
    listed = (build / "main.bbl").read_text()
    assert "Somebody" in listed
    assert "Nobody" not in listed


@needs_latex
def test_a_paper_without_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = paper(tmp_path, "\\begin{document}\\def\\x{\\x}\\x\\end{document}")
    with pytest.raises(InputError, match=r"main.tex: LaTeX was ended after 2 s"):
        typeset(source, ["."], Path("build"), limit=2)


def test_a_missing_latex_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="latexmk is not installed"):
        typeset(tmp_path / "main.tex", [], tmp_path)
