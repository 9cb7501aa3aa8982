"""The campaign's settings: what the file says is what is measured, and faults are one line."""

from functools import partial
from pathlib import Path

import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.live import LiveCampaign, live_points, load_campaign
from anarchy.config.settings import load_scenario

load = partial(load_scenario, paths.ROOT / paths.SCENARIOS)


@pytest.fixture
def campaign() -> LiveCampaign:
    return load_campaign(paths.ROOT / paths.LIVE)


def test_every_point_has_its_scenario(campaign: LiveCampaign) -> None:
    points = live_points(campaign, load, "live.yaml")
    assert len({point.name for point in points}) == len(points)
    for point in points:
        assert point.requests % point.scenario.workload.clients == 0  # whole cycles
        assert point.scenario.engine.first_token == "decode-step"
        assert point.scenario.router.tracking.active_blocks == "distinct"


def test_the_quick_campaign_is_a_part(campaign: LiveCampaign) -> None:
    quick = live_points(campaign.in_a_hurry(), load, "live.yaml")
    assert {point.series for point in quick} == set(campaign.quick.series)
    assert len(quick) == len(campaign.quick.series) * len(campaign.quick.cycles)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("series: [70b-1p2d,", "series: [70b,", "quick.series: '70b' is none; allowed: 70b-1p2d"),
        ("16: 12, ", "", "series.70b-1p2d.clients: 'cycles' has none for 16"),
        ("free: 0.1", "free: 2", "free"),
        ("dilation: 4", "dilution: 4", "dilution"),
    ],
)
def test_faults_name_the_key(tmp_path: Path, old: str, new: str, fault: str) -> None:
    text = (paths.ROOT / paths.LIVE).read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "live.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=fault):
        load_campaign(path)


def test_a_recorded_trace_is_no_closed_loop(campaign: LiveCampaign) -> None:
    fault = r"live\.yaml: series\.70b-1p2d\.scenario: .* is no closed loop"
    with pytest.raises(InputError, match=fault):
        live_points(campaign, lambda _: load("mooncake-8p8d"), "live.yaml")
