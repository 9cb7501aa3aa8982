"""The paper's PDF: LaTeX sees the project's files and nothing of the user's own."""

import os
import re
import resource
import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from anarchy.common.errors import InputError

LIMIT = 300
"""Seconds of processor time for each program; the paper takes two."""

_LATEX = "pdflatex -no-shell-escape -interaction=nonstopmode -halt-on-error %O %S"


def typeset(source: Path, inputs: Sequence[str], build: Path, limit: int = LIMIT) -> None:
    """Make `build`/NAME.pdf and its .log of `source`, which finds files in the folders `inputs`.

    LaTeX's own messages are printed. Raises InputError when it is missing, fails or does not end.
    """
    command = ["latexmk", "-norc", "-pdf", "-Werror", "-e", "$bibtex_fudge = 0"]
    command += [f"-outdir={build}", f"-pdflatex={_LATEX}", str(source)]
    before = _spent()
    run = partial(_run, environment(inputs), limit)
    try:
        _list_all_references(source, build, run)
        done = run(command)
    except FileNotFoundError:
        raise InputError(f"{source}: latexmk is not installed") from None
    print(done.stdout.decode(errors="replace"))
    if done.returncode and _spent() - before >= limit:
        raise InputError(f"{source}: LaTeX was ended after {limit} s: something in it has no end")
    if done.returncode:
        raise InputError(f"{source}: LaTeX failed, for the reason above")


def _run(
    variables: Mapping[str, str], limit: int, command: Sequence[str]
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        # For each process by itself, so that it also ends what latexmk starts.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (limit, limit)),
    )


def _list_all_references(source: Path, build: Path, run: Callable[[list[str]], object]) -> None:
    """A bibliography for the first run of LaTeX, of all entries: those cited are not known yet.

    Without one that run has no labels to cite by, and one more is needed until all numbers settle.
    """
    text = source.read_text(encoding="utf-8", errors="replace") if source.is_file() else ""
    style, files = (
        re.search(rf"^\\{name}\{{([^{{}}]+)\}}", text, re.MULTILINE)
        for name in ("bibliographystyle", "bibliography")
    )
    if style and files:
        build.mkdir(parents=True, exist_ok=True)
        cited = build / source.with_suffix(".aux").name
        cited.write_text(f"\\citation{{*}}\n\\bibstyle{{{style[1]}}}\n\\bibdata{{{files[1]}}}\n")
        run(["bibtex", str(cited)])
        cited.unlink()


def environment(inputs: Sequence[str]) -> dict[str, str]:
    """All variables that LaTeX sees: neither a user's settings and packages nor a date."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "TEXINPUTS": ":".join([*inputs, ""]),  # the empty one at the end: LaTeX's own
        "BIBINPUTS": ":".join([*inputs, ""]),
        "SOURCE_DATE_EPOCH": "0",
        "FORCE_SOURCE_DATE": "1",
        "max_print_line": "1000",
        "openout_any": "p",  # files below the working folder alone
        "shell_escape": "f",
    }


def _spent() -> float:
    """Processor time of the programs that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
