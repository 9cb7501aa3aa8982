"""How values are read: as written, or not at all; the same in configurations and in games."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from anarchy.common import text_files
from anarchy.common.errors import InputError
from anarchy.common.text_files import read_text
from anarchy.config import yaml_files
from anarchy.config.yaml_files import MOST_LEVELS, merge, parse_yaml
from anarchy.games.common.rational import rational

DECIMAL = {
    "008": 8,
    "016": 16,
    "+5": 5,
    "-3": -3,
    "1e-3": 0.001,
    "1e3": 1000.0,
    "5.": 5.0,
    ".5": 0.5,
    "5.6e+10": 5.6e10,
}
"""Numbers of YAML 1.2, some of which YAML 1.1 reads as octal or as text."""

TEXT = ("yes", "no", "on", "off", "Y", "1:30", "1_000", "0x1F", "0o17", "0b11", "2026-01-31", "=")
"""What YAML 1.1 reads as something else than the text that it is."""


@pytest.mark.parametrize("written", DECIMAL)
def test_numbers_are_decimal(written: str) -> None:
    read = parse_yaml(f"[{written}]", "x")[0]
    assert (read, type(read)) == (DECIMAL[written], type(DECIMAL[written]))
    exact = parse_yaml(f"[{written}]", "x", numbers_as_text=True)[0]
    assert exact == written
    assert rational(exact, "x") == Fraction(str(DECIMAL[written]))


@pytest.mark.parametrize("written", TEXT)
@pytest.mark.parametrize("as_text", [False, True])
def test_what_only_looks_like_a_value_is_text(written: str, as_text: bool) -> None:
    assert parse_yaml(f"[{written}]", "x", as_text) == [written]
    with pytest.raises(InputError, match="is not a finite number"):
        rational(written, "x")


def test_truth_values_and_nothing() -> None:
    read = parse_yaml("[true, True, FALSE, null, ~, '']", "x")
    assert read == [True, True, False, None, None, ""]
    assert parse_yaml("a:", "x") == {"a": None}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('a: "\\UFFFFFFFF"', ":1: not YAML: found invalid Unicode character escape code"),
        ("a: " + "9" * 5000, ":1: number longer than 1000 characters"),
        ("a: !!int 0x1F", ":1: '0x1F' is no int"),
        ("a: !!bool yes", ":1: 'yes' is no bool"),
        ("a: !!float 1_0", ":1: '1_0' is no float"),
        ("a: !!timestamp 2026-01-31", ":1: not YAML: could not determine a constructor"),
        ("a: !!binary aGk=", ":1: not YAML: could not determine a constructor"),
        ("[" * (MOST_LEVELS + 1), ":1: nested too deeply; allowed: 50 levels"),
        ("d: &d [*d]", ": too many values, aliases included; allowed: 100,000 in YAML"),
        ('"\\e[2J": 1\n"\\e[2J": 2', ":2: key '\\x1b[2J' is given twice"),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_hostile_yaml_is_refused_in_one_line(text: str, fault: str, as_text: bool) -> None:
    if as_text and ("9" * 100 in text or "!!int" in text or "!!float" in text):
        return  # which numbers are too long or none is decided where they are read
    with pytest.raises(InputError) as refused:
        parse_yaml(text, "x", as_text)
    assert fault in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_file_may_hold_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml_files, "MOST_VALUES", 9)
    monkeypatch.setattr(yaml_files, "MOST_CHARACTERS", 40)
    eight = "[1, 2, 3, 4, 5, 6, 7, 8]"
    assert len(parse_yaml(eight, "x")) == 8
    for text, fault in (
        (f"{eight[:-1]}, 9]", r"x:1: too many values; allowed: 9"),
        ("- &a [1, 2]\n- &b [*a, *a]\n- *b", "x: too many values, aliases included; allowed: 9"),
        (f"{eight}{' ' * 20}", "x: too long for YAML; allowed: 40 characters"),
    ):
        with pytest.raises(InputError, match=fault):
            parse_yaml(text, "x")


def test_aliases_may_repeat_a_little() -> None:
    assert parse_yaml("a: &a [1]\nb: [*a, *a]", "x") == {"a": [1], "b": [[1], [1]]}


def test_text_files_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "MOST_BYTES", 100)
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_text(path) == "a: 1", "without the byte order mark"
    with pytest.raises(InputError, match=r"/dev/zero: too long; allowed: 100 bytes"):
        read_text(Path("/dev/zero"))
    path.write_bytes(b"x" * 101)
    with pytest.raises(InputError, match="too long"):
        read_text(path)


@pytest.mark.parametrize(
    ("above", "merged"),
    [
        ({"b": 5}, {"kind": "x", "a": 1, "b": 5}),
        ({"kind": "x", "b": 5}, {"kind": "x", "a": 1, "b": 5}),
        ({"kind": "y", "b": 5}, {"kind": "y", "b": 5}),
    ],
)
def test_another_kind_replaces(above: dict[str, Any], merged: dict[str, Any]) -> None:
    assert merge({"w": {"kind": "x", "a": 1, "b": 2}}, {"w": above}) == {"w": merged}
