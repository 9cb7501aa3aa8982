"""The campaign's settings: what the file says is what is measured, and faults are one line."""

from functools import partial
from pathlib import Path

import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.live import LiveCampaign, controlled_runs, live_points, load_campaign, slowed
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
        ("settle: 25", "settle: 60", "control: phases: 'below' must be longer than settle"),
        ("transition: 1,", "transition: 11,", "control.controller.thresholds"),
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


def test_controlled_runs_have_the_seconds_of_their_scenario(campaign: LiveCampaign) -> None:
    """The file has those of the wall clock, on which all is `dilation` times as slow."""
    static, adaptive = controlled_runs(campaign, load, "live.yaml")[:2]
    assert (static.controller.dry_run, adaptive.controller.dry_run) == (True, False)
    asked = campaign.control
    for run in (static, adaptive):
        assert run.controller.interval * run.dilation == asked.controller.interval
        assert run.controller.thresholds.transition * run.dilation == 1.0
        assert 2.2 / run.dilation in run.controller.edges
        phases = run.workload.phases
        assert [phase.clients for phase in phases] == [phase.clients for phase in asked.phases]
        ends = [stretch.end * run.dilation for stretch in run.stretches]
        assert ends == pytest.approx([60.0, 140.0, 200.0])


def test_multiples_of_the_unloaded_ttft_slow_down_by_themselves(campaign: LiveCampaign) -> None:
    controller = campaign.control.controller
    multiples = controller.thresholds.model_copy(update={"unit": "unloaded"})
    assert (
        slowed(controller.model_copy(update={"thresholds": multiples}), 3).thresholds == multiples
    )


def test_no_recorded_trace_has_phases(campaign: LiveCampaign) -> None:
    fault = r"live\.yaml: control\.scenarios: '70b-1p5d-v09' is no closed loop"
    with pytest.raises(InputError, match=fault):
        controlled_runs(campaign, lambda _: load("mooncake-8p8d"), "live.yaml")
