"""Messages: one line, of bounded length, in which no input can move the cursor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common.errors import (
    MOST_CHARACTERS,
    MOST_SHOWN,
    InputError,
    printable,
    shown,
    suggest,
)


@given(st.text(max_size=3000))
def test_any_text_is_one_printable_line(text: str) -> None:
    message = str(InputError(text))
    assert message.isprintable()
    assert len(message) <= MOST_CHARACTERS
    assert str(InputError(message)) == message, "what is put in front changes nothing behind"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\tc", "a b c"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\x00b", "a\\x00b"),
        ("\ud800", "\\ud800"),
        ("\u202e", "\\u202e"),
        ("Zürich, 東京", "Zürich, 東京"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text: str, line: str) -> None:
    assert printable(text, 100) == line


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    message = str(InputError(f"x.yaml: key '{'k' * 100_000}' is unknown; allowed: kind"))
    assert message.startswith("x.yaml: key 'kkk")
    assert message.endswith("kkk' is unknown; allowed: kind")
    assert len(message) == MOST_CHARACTERS


def test_values_are_quoted_and_cut() -> None:
    assert shown("a\x1b") == "'a\\x1b'"
    assert len(shown("a" * 10_000)) == MOST_SHOWN
    assert shown(10**5000) == "a number of many digits"
    assert (shown(True), shown(5), shown(None)) == ("True", "5", "None")


def test_suggestions_are_few_and_short() -> None:
    names = [f"scenario-{number}" for number in range(10_000)]
    hint = suggest("scenario-77x", names)
    assert hint.startswith("did you mean 'scenario-77")
    assert hint.endswith(" more)")
    assert len(hint) < 600
    assert len(suggest("y" * 100_000, ["x" * 100_000])) < 200
    assert suggest("b", ["c", "a"]) == "allowed: a, c"
