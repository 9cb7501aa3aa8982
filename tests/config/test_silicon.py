"""The comparison on measured hardware: which deployments it is made of, and what is refused."""

from typing import Any

import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.settings import load_scenario
from anarchy.config.silicon import Deployment, Silicon, deployments
from anarchy.config.validation import validate
from anarchy.config.yaml_files import merge, read_yaml

DATA = read_yaml(paths.ROOT / paths.SILICON)
NAMES = [*DATA["scenarios"], "70b-1p5d", "mooncake-8p8d"]
SCENARIOS = {name: load_scenario(paths.ROOT / paths.SCENARIOS, name) for name in NAMES}


def made(change: dict[str, Any]) -> list[Deployment]:
    silicon = validate(Silicon, merge(DATA, change), "silicon.yaml")
    return list(deployments(silicon, SCENARIOS, "silicon.yaml"))


def test_every_model_has_every_table_and_setting() -> None:
    found = made({})
    tables = sum(len(table.get("all_reduce", [0])) for table in DATA["tables"])
    assert len(found) == 2 * tables * 2 * 2
    assert len({tuple(d.keys.items()) for d in found}) == len(found)
    for deployment in found:
        model, engine = deployment.scenario.model, deployment.scenario.engine
        start = DATA["scenarios"][deployment.keys["scenario"]]
        gpu = deployment.keys["gpu"]
        assert model.latency == f"{start}-{gpu.lower()}-{deployment.keys['times']}"
        assert model.all_reduce == deployment.keys["all_reduce"]
        assert deployment.scenario.hardware.gpu == gpu
        assert engine.prefill.batch_requests == deployment.keys["batch"]
        assert engine.cache.enabled is deployment.keys["caching"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"grid": [64, 128, 96]}, "grid: must increase strictly"),
        ({"grid": [128]}, "grid: .* at least 2"),
        ({"scenarios": {"70b-1p2d": "x"}}, "scenarios: .* at most 2"),
        ({"batch_requests": [1, 1]}, "batch_requests: '1' occurs twice"),
        ({"tabels": []}, "unknown key 'tabels'; did you mean 'tables'"),
    ],
)
def test_bad_files_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"^silicon\.yaml: {message}"):
        made(change)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("70b-1p2d-v9", "unknown scenario '70b-1p2d-v9'; did you mean '70b-1p2d-v09'"),
        ("mooncake-8p8d", "'mooncake-8p8d' is no closed loop with one prefill worker"),
    ],
)
def test_scenarios_without_a_knee_are_refused(name: str, message: str) -> None:
    data = DATA | {"scenarios": {name: "x", "340b-1p2d-v09": "y"}}
    silicon = validate(Silicon, data, "silicon.yaml")
    with pytest.raises(InputError, match=rf"silicon\.yaml: .*{message}"):
        list(deployments(silicon, SCENARIOS, "silicon.yaml"))
