"""The whole family: every combination is measured, or refused in one line."""

import itertools

import numpy as np
import pytest

from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.config.estimator import Estimator
from anarchy.config.scenario import with_fields
from anarchy.config.settings import load_scenario
from anarchy.measure.estimators.aggregations import AGGREGATIONS
from anarchy.measure.estimators.empirical_poa import Indices, check_estimator, poa_hat
from anarchy.measure.estimators.entries import ENTRIES
from anarchy.measure.estimators.matchings import MATCHINGS
from anarchy.measure.estimators.numerators import NUMERATORS
from anarchy.measure.estimators.windows import WINDOWS
from anarchy.serving.service_times.lookup import load_latency
from anarchy.serving.simulate import simulate

FREEZINGS = (None, "arrival", "window-start", "idle")


def load(batch, context):
    return float(batch)


def family():
    """Every combination of names, with windows that a short run has."""
    names = (WINDOWS, ENTRIES, FREEZINGS, NUMERATORS, MATCHINGS, AGGREGATIONS)
    for windowing, entry, freezing, numerator, matching, aggregation in itertools.product(*names):
        yield Estimator(
            windowing=windowing,
            window=12,
            seconds=0.25,
            entry=entry,
            freezing=freezing,
            numerator=numerator,
            matching=matching,
            aggregation=aggregation,
        )


def refusal(options):
    """What check_estimator says; empty if it agrees."""
    try:
        check_estimator(options)
    except InputError as fault:
        return str(fault)
    return ""


@pytest.fixture(scope="module")
def simulated():
    scenario = load_scenario(paths.ROOT / paths.SCENARIOS, "70b-1p5d-v09")
    scenario = with_fields(scenario, {"workload.clients": 24, "router.temperature": 0.3}, "test")
    latency = load_latency(paths.ROOT / paths.LATENCY, scenario.model.latency)
    return simulate(scenario, latency, seed=1, requests=120, warmup_cycles=1), latency.itl


def test_every_combination_is_refused_in_one_line_or_measured(simulated):
    run, itl = simulated
    indices, again = Indices(run, itl), Indices(run, itl)
    refusals = {options: refusal(options) for options in family()}
    assert all("allowed: " in text for text in refusals.values() if text)
    members = [options for options, text in refusals.items() if not text]
    assert len(members) > 2000
    for options in members:
        report = indices.report(options)
        assert report.windows > 0, options
        assert report.m == 5
        assert report.value is not None, options
        assert report.value > 0, options
        assert report.per_worker == report.n / 5
        if options.numerator == "frozen":
            assert report.random is not None
            assert report.round_robin is not None
        else:
            assert report.random is report.round_robin is None
    for options in members[:: len(members) // 50]:
        # What one instance shares makes no difference to the last bit.
        assert again.report(options) == indices.report(options)
        assert poa_hat(run, options, itl) == indices.report(options).value


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (
            {"entry": "nonsense"},
            "entry: unknown entry 'nonsense'; allowed: crowded",
        ),
        ({"matching": "balance"}, "matching: unknown matching 'balance'; did you mean 'balanced'"),
        ({"windowing": "last"}, "windowing: unknown windowing 'last'"),
        ({"numerator": "ttfts"}, "did you mean 'ttft'"),
        ({"aggregation": "sum"}, "aggregation: unknown aggregation 'sum'"),
        ({"entry": "observed-e2e", "freezing": "idle"}, "undefined for entry.*allowed: null"),
        ({"entry": "queue", "freezing": "idle"}, "allowed: arrival, window-start"),
        ({"entry": "ttft", "matching": "places"}, "depends on load, 'ttft' does not; allowed: dec"),
        ({"matching": "perfect"}, "as many requests as workers.*allowed: one-per-worker"),
    ],
)
def test_what_makes_no_sense_is_refused(options, fault):
    with pytest.raises(InputError, match=fault):
        check_estimator(Estimator(**options))


def test_an_entry_that_predicts_wants_service_times(make_run):
    indices = Indices(make_run(40), None)
    with pytest.raises(InputError, match="service times are not known"):
        indices.report(Estimator())
    assert indices.report(Estimator(entry="observed-e2e")).value == 1


def test_the_controls_choose_at_random_and_in_turn_from_the_same_matrix(make_run):
    # Worker 0 is full: greedy avoids it, workers in turn meet it every second time.
    run = make_run(40, decode_worker=1, decode_active=np.tile([9, 0], (40, 1)))
    report = Indices(run, load).report(Estimator(matching="unconstrained"))
    assert report.value == 1
    assert report.round_robin == (20 * 10 + 20 * 1) / 40
    assert 1 < report.random < 10


def test_the_index_by_places_is_the_true_loss(make_run):
    # Six equal requests on empty workers, five of them on one: latency is load.
    run = make_run(6, decode_worker=[0, 0, 0, 0, 0, 1])
    options = Estimator(window=6, matching="places", freezing="idle")
    report = Indices(run, load).report(options)
    assert report.value == pytest.approx((5 * 5 + 1) / (3 * 3 * 2), rel=1e-12)
    assert report.round_robin == 1


def test_places_of_unequal_requests_are_matched_too(make_run):
    # Sizes 1, 1, 4: the large one alone; latency is load. All on one worker cost 3 (1 + 1 + 4).
    run = make_run(3, decode_worker=0, output_tokens=[1, 1, 4])
    costs = Indices(run, load).costs(Estimator(window=3, matching="places", freezing="idle"))
    # In order they take places 1, 2, 3 with marginals 1, 3, 5.
    assert costs.actual.tolist() == [1 * 1 + 1 * 3 + 4 * 5]
    assert costs.optimal.tolist() == [4 * 1 + 1 * 1 + 1 * 3]


def test_a_window_too_large_for_places_is_refused(make_run):
    with pytest.raises(InputError, match="window of 3000 requests on 2 workers is too large"):
        Indices(make_run(3000), load).report(Estimator(window=3000, matching="places"))


def test_windows_of_unequal_length_are_joined(make_run):
    run = make_run(5, routed=[0, 1, 2, 2.5, 4], decode_worker=[0, 1, 0, 0, 0])
    options = Estimator(windowing="time", seconds=2.0, freezing="idle")
    costs = Indices(run, load).costs(options)
    assert costs.requests.tolist() == [2, 2]
    assert costs.actual.tolist() == [2, 2]


def test_what_happened_over_what_an_empty_system_would_take(make_run):
    arrival = np.arange(8.0)
    run = make_run(
        8,
        decode_worker=[0, 1] * 4,
        prefill_start=arrival + 2,
        prefill_end=arrival + 3,
        routed=arrival + 4,
        first_token=arrival + 4,
        decode_start=arrival + 5,
        done=arrival + 9,
    )
    # Prefill and hand-off take 2 s and decode 1 s alone; the request took 9 s, its token 4 s.
    for numerator, entry, value in (
        ("e2e", "e2e", 9 / 3),
        ("ttft", "ttft", 4 / 2),
        ("e2e", "ttft", 9 / 2),
        ("realised", "decode-latency", 5 / 1),
    ):
        options = Estimator(window=8, entry=entry, freezing="idle", numerator=numerator)
        assert Indices(run, load).report(options).value == value
