"""Reads YAML safely; a fault is one line that names file and line number.

Of YAML 1.2 this takes the core schema with decimal numbers. 008 is 8 and 1e-3 is a number; `yes`,
`on`, 1:30, 1_000, 0x1F and 2026-01-31 are text, so that a field that wants a number or a truth
value refuses them. (YAML 1.1 would read true, true, 90, 1000, 31 and a date.)
"""

import copy
import math
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.composer import Composer

from anarchy.common.errors import InputError, shown
from anarchy.common.text_files import read_text
from anarchy.config.base import NAME_PATTERN

MOST_CHARACTERS = 1_000_000
"""Longest YAML: reading takes some microseconds for each character and value."""

MOST_VALUES = 100_000
"""Most values of one file, counted as often as aliases repeat them."""

MOST_LEVELS = 50
"""Deepest nesting of lists and mappings."""

MOST_DIGITS = 1000
"""Longest number."""

_TAG = "tag:yaml.org,2002:"
_KINDS = {  # kind: (how it is written, the characters that it begins with)
    "null": (r"(~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    "bool": (r"(true|True|TRUE|false|False|FALSE)\Z", list("tTfF")),
    "int": (r"[-+]?[0-9]+\Z", list("-+0123456789")),
    "float": (
        r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z",
        list("-+.0123456789"),
    ),
    "merge": (r"<<\Z", ["<"]),
}


class _Refusal(yaml.MarkedYAMLError):
    """YAML that this project does not take."""


class _Loader(Composer, yaml.CSafeLoader):
    """The safe loader with the rules above; it also refuses keys given twice, merges and size.

    Merges of merges can grow a short file without bound, and a scenario can extend another. The
    text is taken apart by libyaml, six times as fast as by PyYAML; Python puts values together.
    """

    def __init__(self, text: str) -> None:
        yaml.CSafeLoader.__init__(self, text)
        Composer.__init__(self)
        self._values = self._levels = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """One value with all that it holds, within the limits."""
        self._values += 1
        self._levels += 1
        if self._levels > MOST_LEVELS:
            self._refuse(f"nested too deeply; allowed: {MOST_LEVELS} levels")
        if self._values > MOST_VALUES:
            self._refuse(f"too many values; allowed: {MOST_VALUES:,}")
        node: yaml.Node | None = super().compose_node(parent, index)
        self._levels -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == _TAG + "merge":
                self._refuse("merges (<<) are not allowed; write the keys out", key_node)
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # refused below
            if key in seen:
                self._refuse(f"key {shown(key)} is given twice", key_node)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_truth(self, node: yaml.ScalarNode) -> bool:
        return self._written(node, "bool").lower() == "true"

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        return int(self._written(node, "int"))

    def construct_decimal(self, node: yaml.ScalarNode) -> float:
        text = self._written(node, "float").lower()
        return float(text.replace(".inf", "inf").replace(".nan", "nan"))

    def _written(self, node: yaml.ScalarNode, kind: str) -> str:
        """The text of a value, which an explicit tag may have put on anything."""
        text = str(self.construct_scalar(node))
        if not re.match(_KINDS[kind][0], text):
            self._refuse(f"{shown(text)} is no {kind}", node)
        if len(text) > MOST_DIGITS:
            self._refuse(f"number longer than {MOST_DIGITS} characters", node)
        return text

    def _refuse(self, problem: str, node: yaml.Node | None = None) -> NoReturn:
        place: Any = node or self.peek_event()
        raise _Refusal(problem=problem, problem_mark=place.start_mark)


_Loader.yaml_implicit_resolvers = {}
_Loader.yaml_constructors = {None: _Loader.construct_undefined}
for _kind, (_pattern, _first) in _KINDS.items():
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(_pattern), _first)
_CONSTRUCTORS: dict[str, Any] = {
    "null": _Loader.construct_yaml_null,
    "bool": _Loader.construct_truth,
    "int": _Loader.construct_whole,
    "float": _Loader.construct_decimal,
    "str": _Loader.construct_yaml_str,
    "seq": _Loader.construct_yaml_seq,
    "map": _Loader.construct_yaml_map,
}
for _kind, _construct in _CONSTRUCTORS.items():
    _Loader.add_constructor(_TAG + _kind, _construct)


class _TextLoader(_Loader):
    """Leaves numbers as the text that stands in the file, so that no digit is lost."""


for _kind in ("int", "float"):
    _TextLoader.add_constructor(_TAG + _kind, _CONSTRUCTORS["str"])


def load_yaml(path: Path) -> Any:
    """Read one YAML file safely; a fault is one line that names file and line."""
    return parse_yaml(read_text(path), str(path))


def parse_yaml(text: str, source: str, numbers_as_text: bool = False) -> Any:
    """Parse YAML (or JSON, which it includes) that came from `source`.

    With `numbers_as_text` a number stays a string: 0.1 is then a decimal and no binary fraction.
    """
    if len(text) > MOST_CHARACTERS:
        raise InputError(f"{source}: too long for YAML; allowed: {MOST_CHARACTERS:,} characters")
    try:
        data = yaml.load(text, Loader=_TextLoader if numbers_as_text else _Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # What is missing at the end is missed on the line after it, which may not be there.
        line = f":{min(mark.line, text.count(chr(10))) + 1}" if mark else ""
        fault = "" if isinstance(error, _Refusal) else "not YAML: "
        raise InputError(f"{source}{line}: {fault}{getattr(error, 'problem', error)}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{source}: not YAML that can be read: {error}") from None
    if count_values(data) > MOST_VALUES:
        raise InputError(
            f"{source}: too many values, aliases included; allowed: {MOST_VALUES:,} in YAML"
        )
    return data


def count_values(data: object, known: dict[int, float] | None = None) -> float:
    """Number of values in nested data, each as often as it occurs; infinite if it holds itself."""
    if not isinstance(data, Mapping | list):
        return 1
    known = {} if known is None else known
    if id(data) not in known:
        known[id(data)] = math.inf
        entries = data.values() if isinstance(data, Mapping) else data
        known[id(data)] = 1 + sum(count_values(entry, known) for entry in entries)
    return known[id(data)]


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping."""
    data = load_yaml(path)
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected keys with values, not {type(data).__name__}")
    return data


def list_files(folder: Path) -> dict[str, Path]:
    """The configuration files of a folder by name, which must be fit for jobs and file names."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    found = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_dir():
            continue
        if path.suffix != ".yaml" or not re.fullmatch(NAME_PATTERN, path.stem):
            raise InputError(
                f"{path}: not the name of a configuration file; allowed: lower-case letters, "
                "digits and hyphens, then .yaml"
            )
        if not path.is_file():
            raise InputError(f"{path}: no regular file, nor a link to one")
        found[path.stem] = path
    return found


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `overlay` over `base`: mappings merge key by key, everything else is replaced.

    A mapping with another `kind` is another thing: it replaces the one below it.
    """
    merged = copy.deepcopy(dict(base))
    for key, value in overlay.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = merge({} if other_kind(below, value) else below, value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def other_kind(below: Mapping[str, Any], above: Mapping[str, Any]) -> bool:
    """Whether two mappings say that they are of different kinds."""
    return "kind" in below and "kind" in above and below["kind"] != above["kind"]
