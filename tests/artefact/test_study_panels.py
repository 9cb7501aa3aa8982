"""How the panels of a knee map are called."""

from anarchy.artefact.study_panels import panel_names, panel_values
from tests.artefact.conftest import make_study

HOSTS = {
    "ideal-host": {},
    "delay": {"frontend.overhead": 0.1},
    "serial": {"frontend.overhead": 0.02, "frontend.serial": True},
}


def test_a_panel_is_called_by_what_tells_it_apart() -> None:
    panels = [{"variant": host} for host in HOSTS] + [{"engine.cache.enabled": False}]
    figure = {"y": "engine.prefill.batch_requests", "panels": panels}
    study = make_study(variants=HOSTS, figure=figure)
    assert panel_names(study) == [
        "prefix cache on\nideal host",
        "prefix cache on\nhost = 100 ms",
        "prefix cache on\nhost = 20 ms\nserial frontend on",
        "prefix cache off\nideal host",
    ]


def test_a_single_panel_needs_no_name() -> None:
    assert panel_names(make_study(figure={"y": "engine.prefill.batch_requests"})) == [""]


def test_what_a_panel_leaves_open_is_the_first_value() -> None:
    values = panel_values(make_study(variants=HOSTS), {"engine.cache.enabled": False})
    assert values["variant"] == "ideal-host"
    assert values["engine.cache.enabled"] is False
    assert values["engine.prefill.batch_requests"] == 1
