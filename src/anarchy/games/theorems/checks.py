"""One row per executable check of a theorem: what it states beside what a solver finds."""

import math
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from anarchy.games.common.rational import Extended, exact_text

Row = dict[str, Any]

RELATIVE_TOLERANCE = 1e-9
"""How far a float may be from the stated value; rationals must be equal."""

RELATIONS = ("=", "<=", ">=", "none")
"""What a theorem states of the found value; "none": that no such value exists."""


def check(
    name: str,
    theorem: str,
    quantity: str,
    setting: str,
    found: Extended | None,
    stated: Extended | None,
    method: str,
    relation: str = "=",
) -> Row:
    """Compare what a solver found with what the theorem states.

    name, theorem   id of the row and label of the theorem, e.g. "thm:plateau"
    quantity        what is compared, and setting the instance, in plain words for the table
    found           from a solver that does not use the theorem; None: there is none
    stated          from the theorem's closed form; None with the relation "none"
    method          how `found` was found
    relation        `found` relation `stated`, one of `RELATIONS`

    The row also holds `value` (the found one, a float), its `unit`, `exact` and `stated_exact`
    (lowest-terms text, None if irrational) and `holds`.
    """
    if relation not in RELATIONS:
        raise ValueError(f"relation: must be one of {RELATIONS}, got {relation!r}")
    return {
        "id": name,
        "theorem": theorem,
        "quantity": quantity,
        "setting": setting,
        "relation": relation,
        "value": None if found is None else float(found),
        "exact": exact_text(found),
        "stated": None if stated is None else float(stated),
        "stated_exact": exact_text(stated),
        "unit": "ratio",
        "method": method,
        "holds": _holds(found, stated, relation),
    }


def rows_of(*families: Callable[[], Iterable[Row]], most: int | None = None) -> list[Row]:
    """The rows of some families of checks, or the first `most` of each; no others are computed."""
    return [row for family in families for row in islice(family(), most)]


def _holds(found: Extended | None, stated: Extended | None, relation: str) -> bool:
    if relation == "none":
        return found is None
    if found is None or stated is None:
        return False
    if relation == "<=":
        return found <= stated
    if relation == ">=":
        return found >= stated
    if isinstance(found, float) or isinstance(stated, float):
        return math.isclose(found, stated, rel_tol=RELATIVE_TOLERANCE)
    return found == stated
