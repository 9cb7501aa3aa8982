"""Where the id of a row comes from: written as it stands, or put together of parts."""

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from anarchy.artefact.explanation.functions import (
    Function,
    definition_around,
    functions_around,
    syntax,
)
from anarchy.artefact.explanation.places import Place, lines_of

_F_STRING = re.compile(r"""\bf(["'])((?:(?!\1)[^\\\n]|\\.)*)\1""")
_FIELD = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")
_SEPARATOR = re.compile(r"[:/+-]")

_OF_ID, _ARGUMENT, _RETURNED, _LISTED, _ELSEWHERE, _READ = 5, 4, 3, 2, 1, 0
"""How sure it is that a text becomes an id, by where it stands."""

_FEWEST = 2
"""Characters of an id that a text must have to be its origin, where it stands anywhere."""

Parts = Sequence[str | None]
"""A text put together: what is written of it, and None for each part that is not."""


@dataclass(frozen=True)
class Origin:
    """Where an id is written: the line there, and what in the package this is part of or names.

    Where a function puts it together of what it is given, `given` is where that is written.
    """

    place: Place
    text: str
    functions: Sequence[Function]
    given: "Origin | None" = None


def find_origin(
    row_id: str, beside: Collection[str], modules: Sequence[Path], root: Path
) -> Origin | None:
    """Where one of the modules, the nearest first, writes an id or puts it together.

    A text that is the id is better than one that it may be made from, of these the one that has
    most of its characters. Among equals that is best which other texts of the row stand `beside`,
    then one that stands beside the key "id" or is handed to a function.
    """
    best: tuple[tuple[bool, int, int, int], Path, ast.expr] | None = None
    for path in modules:
        if not _may_hold(row_id, path):
            continue
        for node, sureness, holder in _texts(path):
            rank = _rank(_parts_of(node, _constants(path)), row_id, sureness)
            if rank is not None:
                whole, written, _ = rank
                full = (whole, written, _common(holder, beside), sureness)
                if best is None or full > best[0]:
                    best = (full, path, node)
    if best is None:
        return None
    _, path, node = best
    call = _call_with(path, node, row_id)
    return _origin(path, node, root, _origin(path, call, root) if call else None)


def _origin(path: Path, node: ast.expr, root: Path, given: Origin | None = None) -> Origin:
    place = Place(path.relative_to(root).as_posix(), node.lineno)
    text = lines_of(path)[node.lineno - 1].strip()
    return Origin(place, text, functions_around(path, node, root), given)


def _call_with(path: Path, node: ast.expr, row_id: str) -> ast.expr | None:
    """The call that hands a part of the id to the function that puts it together, if one does."""
    inside = definition_around(path, node)
    if inside is None or isinstance(node, ast.Constant):
        return None
    best: tuple[int, ast.expr] | None = None
    for call in _calls(path):
        if _called(call) == inside.name:
            for given in filter(_is_text, [*call.args, *(k.value for k in call.keywords)]):
                assert isinstance(given, ast.expr)
                written = _written_in(_parts_of(given, _constants(path)), row_id)
                if written >= _FEWEST and (best is None or written > best[0]):
                    best = (written, given)
    return best[1] if best else None


@cache
def _calls(path: Path) -> list[ast.Call]:
    """Every call in a module."""
    return [node for node in ast.walk(syntax(path)) if isinstance(node, ast.Call)]


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _written_in(parts: Parts, row_id: str) -> int:
    """How many characters of an id are written in a text that is a part of it; 0 if it is none."""
    pattern = "".join(".+" if part is None else re.escape(part) for part in parts)
    found = re.search(rf"(?<![^:/+-]){pattern}(?![^:/+-])", row_id)
    return sum(len(part) for part in parts if part) if found else 0


def _common(holder: ast.AST, beside: Collection[str]) -> int:
    """How many of some texts stand in what holds another."""
    texts = {n.value for n in ast.walk(holder) if isinstance(n, ast.Constant)}
    return sum(text in texts for text in beside)


def _can_be(parts: Parts, row_id: str) -> bool:
    """Whether a text can become the id."""
    if None in parts:
        return _pattern(tuple(parts)).fullmatch(row_id) is not None
    return "".join(map(str, parts)) == row_id


@cache
def _pattern(parts: tuple[str | None, ...]) -> re.Pattern[str]:
    """What a text can become; a module has more of them than `re` remembers."""
    return re.compile("".join(".+" if part is None else re.escape(part) for part in parts))


def _rank(parts: Parts, row_id: str, sureness: int) -> tuple[bool, int, int] | None:
    """How good an origin some text is; None if it cannot become the id, or only reads it."""
    if sureness == _READ or not _can_be(parts, row_id):
        return None
    written = sum(len(part) for part in parts if part)
    if not written or (written < _FEWEST and sureness < _RETURNED):
        return None
    return (None not in parts and sureness > _ELSEWHERE, written, sureness)


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def _patterns(path: Path) -> list[re.Pattern[str]]:
    """What the f-strings of a module can become."""
    bodies = [_FIELD.split(body) for _, body in _F_STRING.findall(_text(path))]
    return [re.compile(".+".join(map(re.escape, parts))) for parts in bodies]


def _may_hold(row_id: str, path: Path) -> bool:
    """Whether a module's text can have the id, before it is parsed: parsing all takes long."""
    text = _text(path)
    starts = [row_id[: match.end()] for match in _SEPARATOR.finditer(row_id)]
    if any(f'"{start}"' in text for start in [row_id, *starts]):
        return True
    if any(f'"{mark}".join(' in text for mark in set(_SEPARATOR.findall(row_id))):
        return True
    return any(pattern.fullmatch(row_id) for pattern in _patterns(path))


@cache
def _constants(path: Path) -> dict[str, str]:
    """The texts that a module gives a name."""
    found = {}
    for node in syntax(path).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name) and isinstance(node.value.value, str):
                    found[target.id] = node.value.value
    return found


@cache
def _texts(path: Path) -> list[tuple[ast.expr, int, ast.AST]]:
    """Every text of a module with how sure it is that it becomes an id, and what it stands in."""
    tree = syntax(path)
    return list(_visit(tree, _ELSEWHERE, tree))


def _visit(
    node: ast.AST, sureness: int, holder: ast.AST
) -> Iterator[tuple[ast.expr, int, ast.AST]]:
    if _is_text(node):
        yield node, sureness, holder  # type: ignore[misc]
    if not isinstance(node, ast.JoinedStr):
        for child, its in _below(node, sureness):
            yield from _visit(child, its, node)


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add)
    return isinstance(node, ast.JoinedStr) or _joined(node) is not None


def _joined(node: ast.AST) -> str | None:
    """What a text is joined by, as in "/".join(parts)."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        by = node.func.value
        if node.func.attr == "join" and isinstance(by, ast.Constant) and isinstance(by.value, str):
            return by.value
    return None


def _below(node: ast.AST, sureness: int) -> Iterator[tuple[ast.AST, int]]:
    """The parts of a node with how sure a text is that stands right there."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            is_id = isinstance(key, ast.Constant) and key.value == "id"
            if key is not None:
                yield key, _LISTED
            yield value, _OF_ID if is_id else _ELSEWHERE
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):  # f"...".replace(" ", "-") is that text
            yield node.func.value, sureness
        for position, argument in enumerate(node.args):
            yield argument, _LISTED if position else _ARGUMENT
        for keyword in node.keywords:
            yield keyword.value, _ARGUMENT if keyword.arg in ("id", "name") else _ELSEWHERE
    elif isinstance(node, ast.Return):
        if node.value is not None:
            yield node.value, _RETURNED
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
        yield node.slice, _LISTED
    elif isinstance(node, ast.Compare | ast.Subscript):
        yield from ((child, _READ) for child in ast.iter_child_nodes(node))
    elif isinstance(node, ast.Tuple | ast.List | ast.Set):
        yield from ((child, _LISTED) for child in node.elts)
    else:
        yield from ((child, _ELSEWHERE) for child in ast.iter_child_nodes(node))


def _parts_of(node: ast.expr, constants: Mapping[str, str]) -> Parts:
    """What is written of a text."""
    if isinstance(node, ast.JoinedStr):
        return [part for value in node.values for part in _parts_of(value, constants)]
    if isinstance(node, ast.FormattedValue):
        return _parts_of(node.value, constants)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_parts_of(node.left, constants), *_parts_of(node.right, constants)]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.Name) and node.id in constants:
        return [constants[node.id]]
    by = _joined(node)
    return [None] if by is None else [None, by, None, by, None]  # of three parts or more
