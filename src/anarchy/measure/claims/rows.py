"""What the rows of verdicts hold, for who reads them from files that anybody may have changed."""

from typing import Any

from pydantic import BaseModel, TypeAdapter


class _Found(BaseModel):
    """What verdicts and tests have in common."""

    id: str
    text: str
    value: float | None
    lo: float | None
    hi: float | None
    unit: str


class _Verdict(_Found):
    published: str
    mark: str
    where: str
    verdict: str
    mechanism: str | None


class _Test(_Found):
    part: str
    rule: str
    rows: str
    group: str
    n: int | None
    holds: bool | None
    at_least: float | None
    at_most: float | None


_KINDS: dict[str, TypeAdapter[Any]] = {
    "claims.json": TypeAdapter(list[_Verdict]),
    "claims.evidence.json": TypeAdapter(list[_Test]),
}
"""The rows of each results file."""


def checked(name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the results file `name`; ValueError if they are none of its kind."""
    _KINDS[name].validate_python(rows)
    return rows
