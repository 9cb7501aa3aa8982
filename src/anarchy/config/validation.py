"""Validates plain data against the models; a fault is one line that names the key."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from anarchy.common.errors import InputError, suggest
from anarchy.config.base import M, Model
from anarchy.config.yaml_files import merge


def validate(
    model: type[M],
    data: Mapping[str, Any],
    source: str,
    locate: Callable[[str], str] | None = None,
) -> M:
    """Validate `data`; a fault is one line that names `source`, the key and what is allowed.

    Where data come from several files, `locate` tells the one that sets a dotted key.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        key, message = _first_fault(model, error)
        source = locate(key) if locate else source
        raise InputError(f"{source}: {message}") from None
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def validate_layers(model: type[M], files: Sequence[tuple[Path, Mapping[str, Any]]]) -> M:
    """Merge files, the most general first, and validate; a fault names the file that sets it."""
    merged: dict[str, Any] = {}
    for _, data in files:
        merged = merge(merged, data)

    def locate(key: str) -> str:
        setters = [path for path, data in files if _has_key(data, key)]
        return str(setters[-1] if setters else files[-1][0])

    return validate(model, merged, locate(""), locate)


def _has_key(data: Mapping[str, Any], key: str) -> bool:
    node: Any = data
    for part in key.split("."):
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def json_schema(model: type[Model]) -> str:
    """The committed JSON schema of a configuration file."""
    return json.dumps(model.model_json_schema(), indent=2, sort_keys=True) + "\n"


_SCALAR_TAGS = {"bool", "int", "float", "str"}


# Characters of a refused value that a message repeats.
_MAX_SHOWN = 80


def _first_fault(model: type[Model], error: ValidationError) -> tuple[str, str]:
    """The dotted key of the fault to report, and the message."""
    faults = error.errors(include_url=False)
    # An unknown key is nearly always the cause of the other faults (a required key misspelt).
    fault = next((f for f in faults if f["type"] == "extra_forbidden"), faults[0])
    loc = fault["loc"]
    key = _dotted(model, loc)
    if fault["type"] == "extra_forbidden":
        hint = suggest(str(loc[-1]), _allowed_keys(model, loc[:-1]))
        return key, f"unknown key '{key}'; {hint}"
    if key and fault["type"].endswith(("_type", "_parsing")) and str(loc[-1]) in _SCALAR_TAGS:
        return key, f"{key}: a number, text, true, false or null is wanted"
    if fault["type"] == "missing":
        return key, f"key '{key}' is missing"
    message = re.sub(r"^Value error, ", "", fault["msg"])
    message = message[0].lower() + message[1:] if message else message
    given = fault.get("input")
    shown = ""
    if isinstance(given, bool | int | float | str) and repr(given) not in message:
        text = repr(given)
        shown = f" (got {text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + '…'})"
    return key, f"{key}: {message}{shown}" if key else message


def _dotted(model: type[Model], loc: tuple[int | str, ...]) -> str:
    """The location as a user writes it: the tag of a union is no key of the file."""
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
    return ".".join(names)


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
        if part in _SCALAR_TAGS:
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
