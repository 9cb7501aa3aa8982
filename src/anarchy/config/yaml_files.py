"""Reads YAML safely; a fault is one line that names file and line number."""

import copy
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from anarchy.common.errors import InputError


class _Refusal(yaml.MarkedYAMLError):
    """YAML that this project does not take."""


class _Loader(yaml.SafeLoader):
    """The safe loader, which also refuses a key that is given twice, and merges.

    Merges of merges can grow a short file without bound, and a scenario can extend another.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                problem = "merges (<<) are not allowed; write the keys out"
                raise _Refusal(problem=problem, problem_mark=key_node.start_mark)
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                continue  # refused below
            if key in seen:
                problem = f"key '{key}' is given twice"
                raise _Refusal(problem=problem, problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


class _TextLoader(_Loader):
    """Leaves numbers as the text that stands in the file, so that no digit is lost."""

    def construct_number(self, node: yaml.ScalarNode) -> str:
        """The text without the underscores that YAML allows between digits."""
        return str(self.construct_scalar(node)).replace("_", "")


_TextLoader.add_constructor("tag:yaml.org,2002:int", _TextLoader.construct_number)


_TextLoader.add_constructor("tag:yaml.org,2002:float", _TextLoader.construct_number)


def load_yaml(path: Path, numbers_as_text: bool = False) -> Any:
    """Read one YAML file safely; a fault is one line that names file and line."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_yaml(content, str(path), numbers_as_text)


def parse_yaml(content: bytes, source: str, numbers_as_text: bool = False) -> Any:
    """Parse YAML (or JSON, which it includes) that came from `source`.

    With `numbers_as_text` a number stays a string: 0.1 is then a decimal and no binary fraction.
    """
    try:
        loader = _TextLoader if numbers_as_text else _Loader
        return yaml.load(content.decode("utf-8"), Loader=loader)
    except UnicodeDecodeError:
        raise InputError(f"{source}: not UTF-8 text") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        fault = "" if isinstance(error, _Refusal) else "not YAML: "
        raise InputError(f"{source}{line}: {fault}{getattr(error, 'problem', error)}") from None
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{source}: not YAML that can be read: {error}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file that holds one mapping."""
    data = load_yaml(path)
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected keys with values, not {type(data).__name__}")
    return data


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Lay `overlay` over `base`: mappings merge key by key, everything else is replaced."""
    merged = copy.deepcopy(dict(base))
    for key, value in overlay.items():
        if isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = copy.deepcopy(value)
    return merged
