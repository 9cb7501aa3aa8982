"""The one error that a user can cause, the hint that helps to undo it, and how both are printed."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

MOST_CHARACTERS = 1000
"""Longest message."""

MOST_SHOWN = 80
"""Longest piece of somebody's input that a message repeats."""

_MOST_LISTED = 400
"""Characters after which a list of allowed names ends."""


class InputError(Exception):
    """Input that cannot be used: one line naming file, key or line, the fault and what is allowed.

    Commands print it to stderr and exit with code 2; it never shows a traceback. What it repeats
    of the input cannot move the cursor or fill the screen: see `printable`.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message, MOST_CHARACTERS))


@contextmanager
def faults_in(place: str, joint: str = ": ") -> Iterator[None]:
    """Puts the place in front of a fault within."""
    try:
        yield
    except InputError as fault:
        raise InputError(f"{place}{joint}{fault}") from None


def printable(text: str, most: int) -> str:
    """The text on one line: what is no visible character escaped, a long middle left out."""
    line = " ".join(_cut(text, 10 * most).split())
    if not line.isprintable():
        line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return _cut(line, most)


def shown(value: object) -> str:
    """A value of the input as a message repeats it: as Python writes it, cut if it is long."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**MOST_SHOWN:
        return "a number of many digits"  # which Python may refuse to print
    return printable(repr(value), MOST_SHOWN)


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Name the closest allowed spelling, or list what is allowed when nothing is close."""
    choices = sorted(printable(choice, MOST_SHOWN) for choice in allowed)
    close = get_close_matches(name[:MOST_SHOWN], choices, n=1, cutoff=0.6)
    listed = f"allowed: {_list(choices)}"
    return f"did you mean '{close[0]}'? ({listed})" if close else listed


def _list(choices: list[str]) -> str:
    """The names in a row, as many as fit."""
    length = 0
    for place, choice in enumerate(choices):
        length += len(choice) + 2
        if length > _MOST_LISTED and place:
            return f"{', '.join(choices[:place])} and {len(choices) - place} more"
    return ", ".join(choices)


def _cut(text: str, most: int) -> str:
    """The beginning and the end of a text that is too long."""
    if len(text) <= most:
        return text
    end = most // 4
    return f"{text[: most - end - 1]}…{text[-end:]}"
