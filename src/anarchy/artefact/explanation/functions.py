"""What in the package computes a file or a row, found in the sources without running them."""

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from anarchy.artefact.explanation.places import Place

_HELPERS = ("anarchy.common", "anarchy.config")
"""Parts of the package that compute nothing."""

Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Function:
    """A function, class or table of the package: where it is and what its documentation says."""

    name: str  # with its module
    place: Place
    doc: str


@cache
def syntax(path: Path) -> ast.Module:
    """A module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


def find_function(name: str, root: Path) -> Function | None:
    """What a dotted name of the package means: a module, or a function, class or table of one."""
    module, _, inner = name.rpartition(".")
    for dotted, wanted in ((name, None), (module, inner)):
        base = root / "src" / dotted.replace(".", "/")
        path = next(
            (p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None
        )
        if path is None:
            continue
        file = path.relative_to(root).as_posix()
        if wanted is None:
            return Function(name, Place(file, 1), ast.get_docstring(syntax(path)) or "")
        for node, following in pairwise([*syntax(path).body, ast.Pass()]):
            if isinstance(node, Definition) and node.name == wanted:
                return Function(name, Place(file, node.lineno), ast.get_docstring(node) or "")
            if isinstance(node, ast.Assign) and wanted in map(ast.unparse, node.targets):
                return Function(name, Place(file, node.lineno), _text_of(following))
            if isinstance(node, ast.ImportFrom) and wanted in (alias.name for alias in node.names):
                return find_function(f"{node.module}.{wanted}", root)
    return None


def _text_of(node: ast.stmt) -> str:
    """The text that a statement is: the documentation of the value before it."""
    value = node.value if isinstance(node, ast.Expr) else None
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return str(value.value) if is_text else ""  # type: ignore[union-attr]


def definition_around(path: Path, node: ast.expr) -> Definition | None:
    """The outermost function or class of a module that an expression is part of."""
    for outer in syntax(path).body:
        if isinstance(outer, Definition) and outer.lineno <= node.lineno <= (outer.end_lineno or 0):
            return outer
    return None


def functions_around(path: Path, node: ast.expr, root: Path) -> list[Function]:
    """The function or class of a module that an expression is part of.

    Of one outside them all, those of the package that the call around it names.
    """
    inside = path.relative_to(root).with_suffix("").parts[1:]  # below src/ or workflow/
    module = ".".join(inside).removesuffix(".__init__")
    tree = syntax(path)
    outer = definition_around(path, node)
    if outer is not None:
        found = find_function(f"{module}.{outer.name}", root)
        return [found] if found else []
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and node in n.args]
    own = {n.name for n in tree.body if isinstance(n, Definition)}
    names: dict[str, None] = {}
    for part in (inner for call in calls for given in call.args for inner in ast.walk(given)):
        if isinstance(part, ast.Name) and part.id in own:
            names[f"{module}.{part.id}"] = None
        elif isinstance(part, ast.Attribute):
            names |= dict.fromkeys(_Names(tree, ()).behind([part]))
    functions = [find_function(name, root) for name in names]
    return [function for function in functions if function is not None]


def writers(script: Path, output: str | None, wildcards: Collection[str]) -> list[str]:
    """The functions of the package by which a script makes one of its outputs, by dotted name.

    `output` is what the script calls it, None for the one that has no name. Of functions in a
    dictionary only that is named which a wildcard of the job chooses. Where nothing can be told
    apart these are all that the script imports.
    """
    names = _Names(syntax(script), wildcards)
    for node in _around(script, output):
        if found := names.behind([node]):
            return found
    return names.behind([names.tree])


class _Names:
    """What the names of a script stand for."""

    def __init__(self, tree: ast.Module, wildcards: Collection[str]) -> None:
        self.tree = tree
        self._wildcards = wildcards
        self._imported: dict[str, str] = {}
        self._meant: dict[str, list[ast.AST]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("anarchy"):
                for alias in node.names:
                    self._imported[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            elif isinstance(node, ast.FunctionDef):
                self._meant.setdefault(node.name, []).extend(node.body)
            else:
                for target, value in _bound(node):
                    for name in ast.walk(target):
                        if isinstance(name, ast.Name):
                            self._meant.setdefault(name.id, []).append(value)

    def behind(self, nodes: Sequence[ast.AST]) -> list[str]:
        """The functions of the package that expressions rest on, by way of the script's names."""
        found: dict[str, None] = {}
        seen: set[str] = set()
        ahead = list(nodes)
        while ahead:
            node = ahead.pop(0)
            if isinstance(node, ast.Attribute) and (module := self._module(node.value)):
                found[f"{module}.{node.attr}"] = None
                continue
            if isinstance(node, ast.Name) and node.id in self._imported:
                found[self._imported[node.id]] = None
            elif isinstance(node, ast.Name) and node.id not in seen:
                seen.add(node.id)
                ahead += self._meant.get(node.id, [])
            ahead += self._chosen(node)
        return [name for name in found if not name.startswith(_HELPERS)]

    def _module(self, node: ast.AST) -> str | None:
        return self._imported.get(node.id) if isinstance(node, ast.Name) else None

    def _chosen(self, node: ast.AST) -> list[ast.AST]:
        """The parts of a node; of a dictionary that the job chooses from, only what it chooses."""
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value in self._wildcards:
                    return [value]
        return [] if isinstance(node, ast.ImportFrom) else list(ast.iter_child_nodes(node))


def _bound(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """The names that a statement binds, with what to."""
    if isinstance(node, ast.Assign):
        yield from ((target, node.value) for target in node.targets)
    elif isinstance(node, ast.AugAssign):
        yield node.target, node.value
    elif isinstance(node, ast.For | ast.comprehension):
        yield node.target, node.iter


@cache
def _around(script: Path, output: str | None) -> list[ast.AST]:
    """The calls and tuples that an output of a script stands in, from within."""
    found = [
        node
        for node in ast.walk(syntax(script))
        if isinstance(node, ast.Call | ast.Tuple) and any(_is(n, output) for n in ast.walk(node))
    ]
    return sorted(found, key=lambda node: sum(1 for _ in ast.walk(node)))


def _is(node: ast.AST, output: str | None) -> bool:
    """Whether this is `snakemake.output.<name>`, or `snakemake.output[0]` for the nameless one."""
    if output is None:
        return isinstance(node, ast.Subscript) and ast.unparse(node) == "snakemake.output[0]"
    return isinstance(node, ast.Attribute) and ast.unparse(node) == f"snakemake.output.{output}"
