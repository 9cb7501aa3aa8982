"""Small knee maps, and rows as their jobs write them."""

from typing import Any

from anarchy.config.experiment import KneeMap


def study(**changes: Any) -> KneeMap:
    fields: dict[str, Any] = {
        "kind": "knee-map",
        "title": "t",
        "question": "q",
        "scenarios": ["a", "b"],
        "axes": {
            "engine.prefill.batch_requests": [1],
            "workload.output_tokens": [8, 40, 144],
        },
        "above": 96,
        "upto": 128,
        "audit": 1.0,
        "figure": {"y": "engine.prefill.batch_requests"},
        "estimators": {"plain": {}},
        "facts": [
            {"claim": "C03", "text": "x", "measure": "poa-hat:plain", "clients": 8, "at_most": 1.5}
        ],
    }
    return KneeMap.model_validate(fields | changes)
