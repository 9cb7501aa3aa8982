"""What people call the fields of a scenario: one mapping for figures, tables and appendix."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anarchy.artefact.display import labelled, number, scale_for


@dataclass(frozen=True)
class FieldLabel:
    """A field's name in a sentence, its symbol in a short label, and the unit it is stored in."""

    name: str
    symbol: str = ""
    unit: str = ""


FIELDS: Mapping[str, FieldLabel] = {
    "scenario": FieldLabel("scenario"),
    "variant": FieldLabel("variant"),
    "phase": FieldLabel("phase"),
    "controller.dry_run": FieldLabel("switches withheld"),
    "controller.source": FieldLabel("TTFT P99 from", "P99"),
    "controller.smoothing": FieldLabel("weight of the newest poll α", "α"),
    "workload.clients": FieldLabel("clients C", "C"),
    "workload.think_time": FieldLabel("mean think time", "think time", "s"),
    "workload.rate": FieldLabel("arrival rate", "rate", "requests/s"),
    "workload.templates": FieldLabel("prompt templates", "templates"),
    "workload.input_tokens": FieldLabel("input tokens"),
    "workload.output_tokens": FieldLabel("output tokens"),
    "workload.speed": FieldLabel("replay speed", "speed"),
    "workload.rows": FieldLabel("rows of the trace", "rows"),
    "topology.prefill": FieldLabel("prefill workers", "P"),
    "topology.decode": FieldLabel("decode workers", "D"),
    "router.policy": FieldLabel("router"),
    "router.temperature": FieldLabel("router temperature τ", "τ"),
    "router.overlap_weight": FieldLabel("overlap weight ω", "ω"),
    "router.decode_overlap": FieldLabel("overlap at the decode router", "decode overlap"),
    "router.normalise": FieldLabel("softmax normalised by range", "normalised"),
    "router.tracking.replicas": FieldLabel("replicas of the router", "replicas"),
    "router.tracking.replica_lag": FieldLabel("lag between replicas", "lag", "s"),
    "router.crowding": FieldLabel("exponent θ of the toll", "θ"),
    "router.ties": FieldLabel("tie rule", "ties"),
    "frontend.overhead": FieldLabel("host overhead per request", "host", "s"),
    "frontend.serial": FieldLabel("serial frontend"),
    "engine.prefill.batch_requests": FieldLabel("prompts per prefill step", "prefill batch"),
    "engine.prefill.batch_tokens": FieldLabel("tokens per prefill step", "prefill tokens"),
    "engine.decode.slots": FieldLabel("decode slots", "slots"),
    "engine.cache.enabled": FieldLabel("prefix cache", "cache"),
    "engine.cache.block_tokens": FieldLabel("tokens per KV block", "block"),
    "engine.cache.capacity_tokens": FieldLabel("cache capacity", "capacity", "tokens"),
    "engine.handoff.overhead": FieldLabel("hand-off overhead", "hand-off", "s"),
    "engine.handoff.bandwidth": FieldLabel("hand-off bandwidth", "bandwidth", "bytes/s"),
    "engine.first_token": FieldLabel("end of TTFT"),
    "model.kv_bytes_per_token": FieldLabel("KV bytes per token"),
    "model.latency": FieldLabel("service times"),
    "model.all_reduce": FieldLabel("time of an all-reduce", "all-reduce", "s"),
}


def field_label(path: str) -> FieldLabel:
    """The label of a dotted field; one not listed is called by the last part of its path."""
    return FIELDS.get(path) or FieldLabel(path.rpartition(".")[2].replace("_", " "))


def axis_label(path: str, values: Sequence[Any] = ()) -> str:
    """Name with the unit that `value_text` prints the values in: "hand-off overhead (ms)"."""
    label = field_label(path)
    return labelled(label.name, scale_for(label.unit, _numbers(values)).unit)


def value_text(path: str, value: Any, values: Sequence[Any] = ()) -> str:
    """One value of a field as text, in the unit that fits all `values` of the field, unnamed."""
    if path == "scenario":
        return scenario_name(str(value))
    if path == "variant":
        return variant_name(str(value))
    if path == "model.latency":
        return _without_common_start(str(value), [str(v) for v in values])
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "none"
    if isinstance(value, int | float):
        factor = scale_for(field_label(path).unit, _numbers([*values, value])).factor
        return number(value if factor == 1.0 else value * factor)
    return str(value)


def setting_text(path: str, value: Any, values: Sequence[Any] = ()) -> str:
    """A setting in a few characters: "τ = 0.7", "70B 1P/2D", "hand-off = 50 ms"."""
    text = value_text(path, value, values)
    if path == "scenario":
        return text
    label = field_label(path)
    if isinstance(value, int | float) and not isinstance(value, bool):
        unit = scale_for(label.unit, _numbers([*values, value])).unit
        text = f"{text} {unit}" if unit else text
    elif path in ("variant", "router.policy", "model.latency"):
        return text
    return f"{label.symbol or label.name} = {text}"


def scenario_name(name: str) -> str:
    """A scenario's file name as the paper writes it: "70b-1p2d-v09" is 70B 1P/2D v0.9."""
    words = re.sub(r"\b(\d+)p(\d+)d\b", r"\1P/\2D", name.replace("-", " "))
    words = re.sub(r"\bv0(\d+)\b", r"v0.\1", words)
    return re.sub(r"\b(\d+)b\b", r"\1B", words)


def variant_name(name: str) -> str:
    """A variant's name as the paper writes it: "theta-1-4" is θ = 1/4, others stay as they are."""
    exponent = re.fullmatch(r"theta-(\d+(?:-\d+)?)", name)
    return f"θ = {exponent[1].replace('-', '/')}" if exponent else name


def _without_common_start(name: str, names: Sequence[str]) -> str:
    """A name such as model-gpu-engine without the parts that all `names` start with."""
    if name not in names or len(set(names)) < 2:
        return name
    parts = [n.split("-") for n in names]
    shared = next(i for i, at in enumerate(itertools.zip_longest(*parts)) if len(set(at)) > 1)
    return "-".join(name.split("-")[shared:]) or name


def _numbers(values: Sequence[Any]) -> list[float]:
    return [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
