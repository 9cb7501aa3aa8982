"""Validates plain data against the models; a fault is one line that names the key."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from anarchy.common.errors import MOST_SHOWN, InputError, printable, shown, suggest
from anarchy.config.base import M, Model
from anarchy.config.yaml_files import merge


class UnknownField(InputError):
    """A dotted field that there is not."""

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(f"unknown field '{path}' {fault}")
        self.path = path


Locate = Callable[[Sequence[str]], str]
"""Tells the file that sets a key, given the keys on the way to it."""


def validate(
    model: type[M], data: Mapping[str, Any], source: str, locate: Locate | None = None
) -> M:
    """Validate `data`; a fault is one line that names `source`, the key and what is allowed.

    Where data come from several files, `locate` tells the one to blame.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        keys, message = _first_fault(model, error)
        source = locate(keys) if locate else source
        raise InputError(f"{source}: {message}") from None
    except UnknownField as error:
        source = locate(("assumptions", error.path)) if locate else source
        raise InputError(f"{source}: {error}") from None
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


Merge = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]


def validate_layers(
    model: type[M], files: Sequence[tuple[Path, Mapping[str, Any]]], merge: Merge = merge
) -> M:
    """Merge files, the most general first, and validate; a fault names the file that sets it."""
    merged: dict[str, Any] = {}
    for _, data in files:
        merged = merge(merged, data)

    def locate(keys: Sequence[str]) -> str:
        # The last of the files that have the key, or else as much of the way to it as any has.
        return str(max(reversed(files), key=lambda file: _depth(file[1], keys))[0])

    return validate(model, merged, str(files[-1][0]), locate)


def _depth(data: Mapping[str, Any], keys: Sequence[str]) -> int:
    """How many of the keys, one below the other, the data have."""
    node: Any = data
    for depth, key in enumerate(keys):
        if not isinstance(node, Mapping) or key not in node:
            return depth
        node = node[key]
    return len(keys)


def json_schema(model: type[Model]) -> str:
    """The committed JSON schema of a configuration file."""
    return json.dumps(model.model_json_schema(), indent=2, sort_keys=True) + "\n"


_SCALAR_TAG = re.compile(r"bool|int|float|str|constrained-.*|function-.*")

_WANTED = {
    "bool_type": "true or false is wanted",
    "int_type": "a whole number is wanted, written as 8 or 1e3",
    "float_type": "a number is wanted, written as 8, 0.5 or 1e-3",
    "list_type": "a list is wanted",
    "dict_type": "keys with values are wanted",
    "model_type": "keys with values are wanted",
    "model_attributes_type": "keys with values are wanted",
    "string_type": "text is wanted; numbers, true and false are text in quotes",
}
"""What a model wants where pydantic would say "valid"."""


def _first_fault(model: type[Model], error: ValidationError) -> tuple[Sequence[str], str]:
    """The keys on the way to the fault to report, and the message."""
    faults = error.errors(include_url=False)
    # An unknown key is nearly always the cause of the other faults (a required key misspelt).
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    loc = fault["loc"]
    keys = _keys(model, loc)
    key = ".".join(keys)
    if fault["type"] == "extra_forbidden":
        hint = suggest(str(loc[-1]), _allowed_keys(model, loc[:-1]))
        return keys, f"unknown key {_quoted(key)}; {hint}"
    if fault["type"].endswith("_type") and _SCALAR_TAG.fullmatch(str(loc[-1])):
        return keys, f"{key}: a number, text, true, false or null is wanted"
    if fault["type"] == "missing":
        return keys[:-1], _missing(
            [_keys(model, f["loc"]) for f in faults if f["type"] == "missing"]
        )
    message = _WANTED.get(fault["type"]) or re.sub(r"^Value error, ", "", fault["msg"])
    message = message[0].lower() + message[1:] if message else message
    given = fault.get("input")
    if fault["type"] != "value_error" and isinstance(given, bool | int | float | str):
        message += f" (got {shown(given)})"
    return keys, f"{printable(key, MOST_SHOWN)}: {message}" if key else message


def _quoted(key: str) -> str:
    return f"'{printable(key, MOST_SHOWN)}'"


def _missing(absent: Sequence[Sequence[str]]) -> str:
    """All missing keys in one message."""
    *names, last = [f"'{'.'.join(keys)}'" for keys in absent]
    return f"keys {', '.join(names)} and {last} are missing" if names else f"key {last} is missing"


def _keys(model: type[Model], loc: tuple[int | str, ...]) -> list[str]:
    """The location as keys of the file: the tag of a union is none."""
    names = []
    node: Any = model
    for part in loc:
        step = _descend(node, part)
        if part == "[key]":
            # The fault is the key of a mapping itself, which is already named.
            continue
        if not (isinstance(step, tuple)):
            names.append(str(part))
        else:
            step = step[0]
        node = step
    return names


def _allowed_keys(model: type[Model], loc: tuple[int | str, ...]) -> list[str]:
    node: Any = model
    for part in loc:
        step = _descend(node, part)
        node = step[0] if isinstance(step, tuple) else step
    if get_origin(node) in (Union, UnionType):
        # An optional model: the fault is below it, so it was given.
        node = next(filter(_is_model, get_args(node)), None)
    return list(node.model_fields) if _is_model(node) else []


def _is_model(node: Any) -> bool:
    return isinstance(node, type) and issubclass(node, BaseModel)


def _members(union: Any) -> list[Any]:
    """The types of a union, those of unions in it included: an optional union is a nested one."""
    members = []
    for member in get_args(union):
        member = get_args(member)[0] if get_origin(member) is Annotated else member
        nested = get_origin(member) in (Union, UnionType)
        members += _members(member) if nested else [member]
    return members


def _descend(node: Any, part: int | str) -> Any:
    """One step of an error location: the annotation below `part`.

    A step that only picks a union's member by its tag comes back as a one-tuple.
    """
    if get_origin(node) is Annotated:
        node = get_args(node)[0]
    if _is_model(node):
        field = node.model_fields.get(str(part))
        return field.annotation if field else None
    if get_origin(node) in (Union, UnionType):
        if _SCALAR_TAG.fullmatch(str(part)):
            return (None,)
        for member in _members(node):
            if _is_model(member):
                kind = member.model_fields.get("kind")
                if kind is not None and part in get_args(kind.annotation):
                    return (member,)
        models = [m for m in _members(node) if _is_model(m)]
        return _descend(models[0], part) if models else None
    arguments = get_args(node)
    return arguments[-1] if arguments else None
