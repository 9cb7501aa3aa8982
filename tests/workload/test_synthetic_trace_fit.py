"""The synthetic trace against the recording itself, where the recording is at hand."""

import importlib.util

import numpy as np
import pytest
from scipy.stats import ks_2samp

from anarchy.common import paths
from anarchy.config.settings import TraceSources, load_scenario
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml
from anarchy.measure.prefix_sharing import (
    best_overlaps,
    conversations,
    reuse_distances,
    sharing_facts,
)
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate
from anarchy.workload.synthetic_trace import generate
from anarchy.workload.synthetic_trace_parameters import load_trace_parameters
from anarchy.workload.trace_files import find_trace
from anarchy.workload.traces import read_trace
from tests.serving.conftest import changed

NAME = "mooncake-conversation"
SYNTHETIC_TRACES = paths.ROOT / paths.CONFIG / "synthetic-traces"
MOONCAKE = load_trace_parameters(SYNTHETIC_TRACES, NAME)
SEEDS = 5
LIMIT = 3.0
"""How many prediction errors the recording may be from the mean of the synthetic traces."""

SOURCES = validate(TraceSources, read_yaml(paths.ROOT / paths.TRACES), "traces.yaml")


@pytest.fixture(scope="module")
def recording():
    source = SOURCES.traces[NAME]
    path = find_trace(NAME, SOURCES, paths.ROOT)
    if not path.is_file():
        pytest.skip(f"{source.file} is in neither ANARCHY_TRACE_DIR nor data/traces")
    return read_trace(path, source.format, source.sha256)


@pytest.fixture(scope="module")
def generated(recording):
    return [generate(MOONCAKE, len(recording), seed) for seed in range(SEEDS)]


def test_the_parameters_name_its_recording():
    source = SOURCES.traces[NAME]
    provenance = MOONCAKE.provenance
    assert (provenance.trace, provenance.sha256) == (NAME, source.sha256)
    assert (provenance.licence, provenance.citation) == (source.licence, source.citation)


def test_the_facts_are_those_of_the_recording(recording):
    assert sharing_facts(recording, MOONCAKE.common_blocks) == MOONCAKE.facts


def test_the_committed_parameters_are_what_the_fit_gives(recording):
    path = paths.ROOT / "scripts" / "fit_synthetic_trace.py"
    spec = importlib.util.spec_from_file_location("fit_synthetic_trace", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    fitted = script.fit(recording, SOURCES.traces[NAME], NAME).model_dump()
    assert_near(fitted, MOONCAKE.model_dump())


def assert_near(one, other):
    """Equal but for the last digit of a rounded number: libraries sum in different orders."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_near(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            assert_near(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-3)
    else:
        assert one == other


def samples(data):
    overlaps, reuses = best_overlaps(data), reuse_distances(data, 1)
    talks = conversations(data, 1)
    return {
        "input": data.input_tokens,
        "output": data.output_tokens,
        "shared": overlaps.shared,
        "seconds": reuses.seconds,
        "requests": reuses.requests,
        "growth": talks.growth,
        "turns": talks.sizes,
        "tick": np.unique(data.arrival.round(), return_counts=True)[1],
    }


def test_distributions_are_as_near_as_synthetic_traces_are_to_each_other(recording, generated):
    """Kolmogorov-Smirnov distances, the mean to the recording against the largest of pairs."""
    real = samples(recording)
    made = [samples(data) for data in generated]
    for name in real:
        own = [
            ks_2samp(made[i][name], made[j][name]).statistic for i in range(SEEDS) for j in range(i)
        ]
        to_real = [ks_2samp(real[name], other[name]).statistic for other in made]
        assert np.mean(to_real) <= max(own), name


def test_routing_gains_as_on_the_recording(recording, generated):
    """Prefix-aware against round-robin routing, the same requests for both."""
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "mooncake-8p8d")
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)

    def gains(data):
        reuse, wait = [], []
        for policy in ("kv", "round-robin"):
            log = simulate(
                changed(scenario, router__policy=policy), latency, seed=1, trace=data
            ).log
            reuse.append(log.cached_tokens.sum() / log.input_tokens.sum())
            wait.append((log.first_token - log.arrival).mean())
        return np.array([reuse[0] - reuse[1], wait[0] / wait[1]])

    made = np.array([gains(data) for data in generated])
    error = made.std(axis=0, ddof=1) * np.sqrt(1 + 1 / SEEDS)
    assert (np.abs(gains(recording) - made.mean(axis=0)) <= LIMIT * error).all()
