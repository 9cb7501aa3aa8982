"""The text of a game: YAML or JSON from a file or from standard input, its numbers left as text."""

import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from anarchy.common.errors import InputError
from anarchy.common.text_files import decoded, read_text
from anarchy.config.yaml_files import parse_yaml

STANDARD_INPUT = "-"


def read(file: str) -> str:
    """The text of a game file, or of standard input for "-"."""
    if file != STANDARD_INPUT:
        return read_text(Path(file))
    if sys.stdin is None:
        raise InputError(f"{source_of(file)}: is closed")
    return decoded(sys.stdin.buffer, source_of(file))


def is_nfg(text: str) -> bool:
    """Whether a file is Gambit's; no YAML or JSON of a game begins like one."""
    return re.match(r"\s*NFG\s", text) is not None


def load(text: str, source: str) -> Any:
    """What a game file in YAML or JSON holds; numbers stay text."""
    # YAML includes JSON but for tabs and for pairs of surrogates, and takes far longer to read.
    if text.lstrip()[:1] == "{":
        with suppress(ValueError, RecursionError):
            return _json(text)
    return parse_yaml(text, source, numbers_as_text=True)


def _json(text: str) -> Any:
    """JSON with numbers as text; `ValueError` for anything else and for a key given twice."""

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("a key is given twice")
        return found

    return json.loads(
        text,
        parse_int=str,
        parse_float=str,
        parse_constant=str,
        object_pairs_hook=mapping,
    )


def source_of(file: str) -> str:
    """How messages name a file."""
    return "standard input" if file == STANDARD_INPUT else file
