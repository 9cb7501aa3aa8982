"""Text of configs and results made safe for LaTeX, whatever it contains."""

import re
import unicodedata

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
}
_MATH = {
    "±": r"\pm",
    "×": r"\times",
    "·": r"\cdot",
    "−": "-",
    "≤": r"\le",
    "≥": r"\ge",
    "≈": r"\approx",
    "≠": r"\ne",
    "∞": r"\infty",
    "√": r"\surd",
    "→": r"\to",
    "★": r"\star",
    "µ": r"\mu",
}
_POWER = re.compile(r"×10\^(−?[0-9]+)")
# Omicron is missing on purpose: LaTeX has no command for it.
_GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lamda mu nu xi pi rho sigma tau"
_GREEK += " upsilon phi chi psi omega"
_GREEK_CAPITALS = "gamma delta theta lamda xi pi sigma upsilon phi psi omega"
# Letters beyond Latin-1 that the T1 encoding of the paper holds.
_T1_LETTERS = frozenset("ĂăĄąĆćČčĎďĐđĘęĚěĞğİıĹĺĽľŁłŃńŇňŐőŒœŔŕŘřŚśŞşŠšŢţŤťŮůŰűŸŹźŻżŽž")


def _greek() -> dict[str, str]:
    table = {}
    for case, names in (("SMALL", _GREEK), ("CAPITAL", _GREEK_CAPITALS)):
        for name in names.split():
            letter = unicodedata.lookup(f"GREEK {case} LETTER {name.upper()}")
            command = name.replace("lamda", "lambda")
            table[letter] = "\\" + (command if case == "SMALL" else command.capitalize())
    return table


_MATH |= _greek()


def latex_escape(text: str) -> str:
    """`text` as LaTeX prints it, literally, in text mode; white space runs become one space.

    Greek letters and a few signs become math, as does a power of ten ("2×10^−4"); a character that
    the paper's fonts lack becomes its unaccented ASCII form or, failing that, `[U+1234]`, so that
    no input can break the build.
    """
    pieces = _POWER.split(" ".join(text.split()))
    # Every second piece is the exponent of a power, as a group of the pattern that splits.
    return "".join(
        rf"\ensuremath{{\times 10^{{{piece.replace('−', '-')}}}}}"
        if i % 2
        else "".join(map(_character, piece))
        for i, piece in enumerate(pieces)
    )


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character in _MATH:
        return rf"\ensuremath{{{_MATH[character]}}}"
    if " " <= character <= "~" or character in _T1_LETTERS:
        return character
    if "¡" <= character <= "ÿ" and character != "\u00ad":
        return character
    plain = "".join(c for c in unicodedata.normalize("NFD", character) if not _is_mark(c))
    if plain.isascii() and plain.isprintable() and plain:
        return "".join(_SPECIAL.get(c, c) for c in plain)
    return f"[U+{ord(character):04X}]"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character) == "Mn"
