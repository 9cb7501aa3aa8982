"""Prefill: what of a cached prompt is computed anew."""

import numpy as np
import pytest

from anarchy.config.scenario import Scenario
from anarchy.serving.service_times.lookup import Latency
from anarchy.serving.simulate import simulate
from tests.serving.conftest import changed


@pytest.mark.parametrize(
    ("block", "tokens", "whole", "cached"),
    [(16, 128, False, 127), (16, 128, True, 112), (16, 129, True, 128), (64, 128, True, 64)],
)
@pytest.mark.parametrize("paged", [False, True])
def test_the_end_of_a_cached_prompt(
    published: Scenario,
    latency: Latency,
    block: int,
    tokens: int,
    whole: bool,
    cached: int,
    paged: bool,
) -> None:
    """Its last token or its last block; with paged memory always the latter."""
    scenario = changed(
        published,
        workload__clients=2,
        workload__input_tokens=tokens,
        engine__cache__block_tokens=block,
        engine__cache__whole_blocks=whole,
        engine__memory__paged=paged,
    )
    run = simulate(scenario, latency, seed=1, requests=200, simulator="reference")
    if paged:
        cached = (tokens - 1) // block * block
    assert set(np.unique(run.log.cached_tokens)) - {0} == {cached}  # nothing is cached at first
