"""The times of a request that is alone in the system."""

from math import inf

from anarchy.config.scenario import Scenario
from anarchy.serving.service_times.lookup import Latency


def handoff_seconds(scenario: Scenario, tokens: float) -> float:
    """Seconds of a KV transfer that has the link to itself."""
    handoff = scenario.engine.handoff
    bandwidth = inf if handoff.bandwidth is None else handoff.bandwidth
    return handoff.overhead + tokens * scenario.model.kv_bytes_per_token / bandwidth


def unloaded_ttft(scenario: Scenario, latency: Latency, prompt: int) -> float:
    """Seconds from the arrival to the first token, `prompt` tokens being computed."""
    ends = {
        "prefill": 0.0,
        "handoff": handoff_seconds(scenario, prompt),
        "decode-step": handoff_seconds(scenario, prompt) + latency.itl(1, prompt),
    }
    prefill = scenario.frontend.overhead + latency.prefill(prompt)
    return prefill + ends[scenario.engine.first_token]


def unloaded_seconds(scenario: Scenario, latency: Latency, prompt: int, output: int) -> float:
    """Seconds from the arrival to the last of `output` tokens, `prompt` tokens being computed."""
    prefill = latency.prefill(prompt) + handoff_seconds(scenario, prompt)
    return scenario.frontend.overhead + prefill + output * latency.itl_line(1)[1]
