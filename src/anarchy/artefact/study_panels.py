"""The panels of a knee map's figure: which setting each of them shows, and what it is called."""

from collections.abc import Mapping
from typing import Any

from anarchy.artefact.labels import field_label, setting_text, value_text
from anarchy.config.experiment import VARIANT, KneeMap


def panel_values(study: KneeMap, panel: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every axis in a panel: its own, or the first."""
    return {axis: values[0] for axis, values in study.every_axis.items()} | dict(panel)


def panel_names(study: KneeMap) -> list[str]:
    """What tells the panels apart, one line for each field that does."""
    settings = [panel_values(study, panel) for panel in study.figure.panels]
    differing = [
        axis for axis in study.every_axis if len({setting[axis] for setting in settings}) > 1
    ]
    return [
        "\n".join(_setting(study, axis, setting[axis]) for axis in reversed(differing))
        for setting in settings
    ]


def _setting(study: KneeMap, axis: str, value: Any) -> str:
    if axis == VARIANT:
        fields = study.variants[value]
        texts = [_setting(study, path, v) for path, v in fields.items()]
        return "\n".join(texts) or str(value).replace("-", " ")
    if isinstance(value, bool):
        return f"{field_label(axis).name} {value_text(axis, value)}"
    return setting_text(axis, value)
