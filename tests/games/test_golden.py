"""Every verified case of the golden set, by its id, through game files as a user writes them."""

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from anarchy.games.solve import solve_file

CASES = json.loads((Path(__file__).parents[1] / "golden" / "games.json").read_text("utf-8"))

RELATIVE_TOLERANCE = 1e-9
"""How far a float may be from its golden value; rationals must be equal."""

SOCIAL = {
    "optimum",
    "best_equilibrium",
    "worst_equilibrium",
    "price_of_anarchy",
    "price_of_stability",
}
POOLS = {"prefill", "decode", "multiplier", "prefill_latency", "decode_latency"}
FLOWS = {"equilibrium_flow", "optimum_flow"}
COSTS = {"equilibrium_cost", "optimum_cost", "price_of_anarchy"}


def wanted_keys(game: dict[str, Any], found: dict[str, Any]) -> set[str]:
    """The documented keys of a result, `reason` aside."""
    match game["kind"]:
        case "congestion":
            return {"kind", "equilibria", "profiles", "exact_potential", "exact"} | SOCIAL
        case "caching":
            listed = {"profiles"} if found["equilibria"] <= 1000 else set()
            return {"kind", "equilibria", "exact"} | listed | SOCIAL
        case "parallel-queues":
            return FLOWS | COSTS
        case "allocation":
            return {"optimum_prefill", "splits"} if game.get("integer") else POOLS
        case "closed-network":
            return {"throughput", "residence_time", "saturation_point"}
    stable = game["family"] == "affine-price-of-stability"
    return {"price_of_stability" if stable else "price_of_anarchy", "lambda", "mu"}


def agrees(found: Any, expected: Any) -> bool:
    """Whether a result is the golden one: rational strings exactly, floats closely."""
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(agrees, found, expected))
    if isinstance(expected, float):
        # Two golden values are rational but noted as floats; the results are then strings.
        return math.isclose(float(Fraction(found)), expected, rel_tol=RELATIVE_TOLERANCE, abs_tol=0)
    return bool(found == expected and type(found) is type(expected))


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_golden_case(case: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "game.json"
    file.write_text(json.dumps(case["game"]), encoding="utf-8")
    found = solve_file(str(file))
    for quantity, expected in case["expected"].items():
        assert agrees(found[quantity], expected), (quantity, found[quantity], expected)
    assert set(found) - {"reason"} == wanted_keys(case["game"], found)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_golden_ids_are_unique() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES) == 141
