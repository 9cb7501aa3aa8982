"""The one error that a user can cause, and the hint that helps to undo it."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(Exception):
    """Input that cannot be used: one line naming file, key or line, the fault and what is allowed.

    Commands print it to stderr and exit with code 2; it never shows a traceback.
    """

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


def suggest(name: str, allowed: Iterable[str]) -> str:
    """Name the closest allowed spelling, or list what is allowed when nothing is close."""
    choices = sorted(allowed)
    close = get_close_matches(name, choices, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'? (allowed: {', '.join(choices)})"
    return f"allowed: {', '.join(choices)}"
