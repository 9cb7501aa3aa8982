"""Gambit's .nfg files, version 1: finite games as tables of payoffs.

    NFG 1 R "title" { "player" "player" } { { "up" "down" } { "left" "right" } } "comment"

and then either the payoffs of all players in each profile, or a list of outcomes,
`{ { "name" 1, 2 } ... }`, and for each profile the number of its outcome, 0 for none. The strategy
of the first player changes fastest. Numbers of strategies, `{ 2 2 }`, may stand for their names.

Source of the format: the documentation of Gambit (www.gambit-project.org).
"""

import math
import re
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from anarchy.common.errors import InputError, faults_in, printable, shown
from anarchy.games.common.enumeration import (
    MAX_PROFILES,
    CostTable,
    Integers,
    ProfileSpace,
    Scale,
)
from anarchy.games.common.rational import exact_text, rational
from anarchy.games.normal_form.table import MAX_PAYOFFS, NormalForm, require_small

MAX_DENOMINATOR_BITS = 1024
"""Longest common denominator of all payoffs: some 300 digits."""

MAX_LABEL = 200
"""Longest name that is written."""

COSTS = "payoffs are costs with the sign turned"
PERCEIVED = "payoffs are perceived costs with the sign turned; their sum is not the social cost"

_TOKEN = re.compile(r'\s*+(?:"((?:[^"\\]|\\.)*+)"|([{},])|([^\s{},"]++))', re.DOTALL)
_KINDS = ("", "text", "symbol", "word")
_SPACE, _WORD = re.compile(r"\s*"), re.compile(r"\S+")
_INDEX = re.compile(r"[0-9]{1,9}")

Indices = NDArray[np.int64]


def parse(text: str, source: str) -> NormalForm:
    """The game in a file; `InputError` names `source`, the line and what is wanted there."""
    reader = _Reader(text, source)
    title, players = _header(reader)
    strategies = _strategies(reader, len(players))
    if reader.kind == "text":
        reader.take("text", "a comment")
    with faults_in(source):
        space = ProfileSpace(tuple(map(len, strategies)))
        require_small(len(players), space.size)
    numbers: dict[str, int] = {}
    entries = (_outcomes if reader.at("{") else _payoffs)(reader, numbers, space)
    scale, integers = _scaled(numbers, len(players), source)
    costs = [integers[column] for column in _in_our_order(entries, space).T]
    social: Integers = np.sum(costs, axis=0, dtype=scale.dtype)
    return NormalForm(title, players, strategies, CostTable(space, scale, costs, social))


class _Reader:
    """The words of a file one by one; `kind` and `word` are those of the next one."""

    def __init__(self, text: str, source: str) -> None:
        self.text, self.source = text, source
        self.start = self.end = 0
        self.kind, self.word = "", ""
        self._advance()

    def _advance(self) -> None:
        match = _TOKEN.match(self.text, self.end)
        if match is None:
            self.start = _SPACE.match(self.text, self.end).end()  # type: ignore[union-attr]
            if self.start < len(self.text):
                raise self.fault("a quote that ends the text", self.start)
            self.kind, self.word = "end", ""
            return
        number = match.lastindex or 0
        self.start, self.end = match.start(number), match.end()
        self.kind, self.word = _KINDS[number], match[number]

    def fault(self, wanted: str, at: int | None = None) -> InputError:
        """That something else is wanted at a place of the text, by default the next word."""
        place = self.start if at is None else at
        got = _WORD.match(self.text, place)
        found = shown(got.group()) if got else "the end of the file"
        return InputError(f"{self.where(place)}: {wanted} is wanted, got {found}")

    def where(self, place: int) -> str:
        """The file and the line of a place of the text."""
        return f"{self.source}:{self.text.count(chr(10), 0, place) + 1}"

    def at(self, symbol: str) -> bool:
        """Whether a brace or a comma is next."""
        return self.kind == "symbol" and self.word == symbol

    def take(self, kind: str, wanted: str, *words: str) -> str:
        """The next word, which has to be of a kind and, if any are given, one of some words."""
        word = self.word
        if self.kind != kind or (words and word not in words):
            raise self.fault(wanted)
        self._advance()
        return word

    def listed(self, wanted: str) -> Iterator[None]:
        """Once for each entry of a list in braces, which the caller takes."""
        self.take("symbol", f"'{{' before {wanted}", "{")
        while not self.at("}"):
            yield
        self._advance()

    def rest(self, wanted: str, count: int) -> Iterator[tuple[int, str]]:
        """All words from here on with their places, which have to be as many as `count`."""
        words = _WORD.finditer(self.text, self.start)
        for _ in range(count):
            match = next(words, None)
            if match is None:
                raise self.fault(f"{wanted}, {count} in all,", len(self.text))
            yield match.start(), match.group()
        for match in words:
            raise self.fault(f"nothing after {count} numbers", match.start())


def _header(reader: _Reader) -> tuple[str, tuple[str, ...]]:
    """Title and players."""
    reader.take("word", "NFG", "NFG")
    reader.take("word", "version 1", "1")
    reader.take("word", "R or D", "R", "D")
    title = reader.take("text", "a title in quotes")
    names = [reader.take("text", "a player's name in quotes") for _ in reader.listed("players")]
    return title, tuple(names)


def _strategies(reader: _Reader, players: int) -> tuple[tuple[str, ...], ...]:
    """The names of each player's strategies, or their numbers where only those are given."""
    found: list[tuple[str, ...]] = []
    profiles = 1
    for _ in reader.listed("strategies"):
        if len(found) == players:
            raise reader.fault(f"'}}' after the strategies of {players} players")
        if reader.at("{"):
            names = [reader.take("text", "a name in quotes") for _ in reader.listed("names")]
        else:
            names = [str(number) for number in range(1, 1 + _count(reader))]
        found.append(tuple(names))
        profiles *= len(names)
        if not 1 <= profiles <= MAX_PROFILES:
            raise reader.fault(f"a number of strategies with 1 to {MAX_PROFILES} profiles")
    if len(found) < players or not players:
        raise InputError(
            f"{reader.source}: strategies of {players} players are wanted, and at least one, "
            f"got those of {len(found)}"
        )
    return tuple(found)


def _count(reader: _Reader) -> int:
    if not _INDEX.fullmatch(reader.word) or int(reader.word) > MAX_PROFILES:
        raise reader.fault(f"a number of strategies, at most {MAX_PROFILES},")
    return int(reader.take("word", "a number"))


def _payoffs(reader: _Reader, numbers: dict[str, int], space: ProfileSpace) -> Indices:
    """Which of `numbers`, to which it adds, each player gets in each profile of the file."""
    players = len(space.counts)
    entries = np.empty(space.size * players, dtype=np.int64)
    words = reader.rest("a payoff of each player in each profile", entries.size)
    for place, (start, word) in enumerate(words):
        if word not in numbers:
            _require_number(reader, word, start)
        entries[place] = numbers.setdefault(word, len(numbers))
    return entries.reshape(space.size, players)


def _outcomes(reader: _Reader, numbers: dict[str, int], space: ProfileSpace) -> Indices:
    """The same from a list of outcomes and the number of one for each profile."""
    players = len(space.counts)
    outcomes = [[numbers.setdefault("0", len(numbers))] * players]
    for _ in reader.listed("outcomes"):
        row: list[int] = []
        for _ in reader.listed("an outcome"):
            if not row:
                reader.take("text", "an outcome's name in quotes")
            if reader.word not in numbers:
                _require_number(reader, reader.word, reader.start)
            word = reader.take("word", "a payoff")
            row.append(numbers.setdefault(word, len(numbers)))
            if reader.at(","):
                reader.take("symbol", "','")
        if len(row) != players:
            raise InputError(
                f"{reader.source}: outcome {len(outcomes)}: {players} payoffs are wanted"
            )
        outcomes.append(row)
        if len(outcomes) * players > MAX_PAYOFFS + players:
            raise InputError(f"{reader.source}: outcomes: too many payoffs; allowed: {MAX_PAYOFFS}")
    chosen = np.empty(space.size, dtype=np.int64)
    for place, (start, word) in enumerate(reader.rest("a number of an outcome", space.size)):
        if not _INDEX.fullmatch(word) or int(word) >= len(outcomes):
            raise reader.fault(f"a number of an outcome, 0 to {len(outcomes) - 1},", start)
        chosen[place] = int(word)
    return np.array(outcomes, dtype=np.int64)[chosen]


def _require_number(reader: _Reader, word: str, start: int) -> None:
    try:
        rational(word, "payoff")
    except InputError as fault:  # only now is it worth counting lines
        raise InputError(f"{reader.where(start)}: {fault}") from None


def _scaled(numbers: dict[str, int], players: int, source: str) -> tuple[Scale, Integers]:
    """The numbers as costs, whole ones over a common denominator."""
    values = [rational(word, "payoff") for word in numbers]
    common = 1
    for value in values:
        common = math.lcm(common, value.denominator)
        if common.bit_length() > MAX_DENOMINATOR_BITS:
            raise InputError(f"{source}: payoffs: their common denominator has over 300 digits")
    scale = Scale.of(values, players, terms=1)
    return scale, np.array([-scale.integer(value) for value in values], dtype=scale.dtype)


def _in_our_order(entries: Indices, space: ProfileSpace) -> Indices:
    """Rows of profiles from first player fastest to last player fastest."""
    return entries[np.arange(space.size).reshape(_axes(space)[::-1]).T.ravel()]


def _in_their_order(space: ProfileSpace) -> Indices:
    """The numbers of our profiles with the first player fastest."""
    return np.arange(space.size).reshape(_axes(space)).T.ravel()


def _axes(space: ProfileSpace) -> tuple[int, ...]:
    """The counts of players with a choice: NumPy has few dimensions."""
    return tuple(count for count in space.counts if count > 1)


def text_of(form: NormalForm) -> str:
    """The file of a game, with payoffs; `InputError` where somebody pays infinitely much."""
    table = form.costs
    require_small(len(form.players), table.space.size)
    costs = np.stack(table.perceived, axis=1)
    unbounded = np.flatnonzero((costs >= table.scale.infinite).any(axis=1))
    if unbounded.size:
        profile = list(table.space.profile(int(unbounded[0])))
        raise InputError(
            f"profile {profile} costs infinitely much; an .nfg file holds no such payoff"
        )
    values, places = np.unique(costs[_in_their_order(table.space)], return_inverse=True)
    words = [exact_text(-Fraction(table.scale.value(int(value)))) or "" for value in values]
    rows = places.reshape(table.space.size, len(form.players))
    names = [" ".join(map(_quoted, labels)) for labels in form.strategies]
    return "\n".join(
        [
            f"NFG 1 R {_quoted(form.title)}",
            f"{{ {' '.join(map(_quoted, form.players))} }}",
            f"{{ {' '.join(f'{{ {labels} }}' for labels in names)} }}",
            _quoted(COSTS if (table.social == costs.sum(axis=1)).all() else PERCEIVED),
            "",
            *(" ".join(words[entry] for entry in row) for row in rows.tolist()),
            "",
        ]
    )


def _quoted(label: str) -> str:
    """A name in quotes, in plain ASCII; Gambit has no way to end one with a backslash."""
    plain = printable(label, MAX_LABEL).replace("\\", "/").replace('"', "'")
    return f'"{plain.encode("ascii", "replace").decode()}"'
