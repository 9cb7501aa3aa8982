import numpy as np
import pytest

from anarchy.common.errors import InputError
from anarchy.config.estimator import Estimator
from anarchy.config.settings import Bootstrap
from anarchy.config.workload import Slo, Tenant
from anarchy.measure.bootstrap import difference_interval, measure_interval
from anarchy.measure.estimators.empirical_poa import poa_hat
from anarchy.measure.measures import MEASURES, Deployment, get_measure, request_statistic
from anarchy.serving.log.control_history import ControlHistory


def itl(batch, context):
    return 0.01 * batch


USERS = Tenant(name="users", share=1, input_tokens=1, output_tokens=1, slo=Slo(ttft=3.0, itl=0.75))
DEPLOYMENT = Deployment(itl, [USERS])


@pytest.fixture(scope="module")
def run(make_run):
    """Five requests of which the first falls into the warm-up; a window of 8 seconds."""
    return make_run(
        5,
        3,
        arrival=[0, 1, 2, 3, 4],
        prefill_start=[50, 1, 2.5, 4, 5.5],
        first_token=[90, 2, 4, 6, 8],
        routed=[0, 2, 3, 4, 8],
        decode_start=[99, 2, 4, 6, 8],
        done=[99, 4, 8, 8, 9],
        output_tokens=[1, 2, 4, 4, 1],
        input_tokens=[9, 100, 100, 200, 400],
        cached_tokens=[9, 0, 50, 150, 0],
        cached_by_tier=[[9, 0, 0, 0], [0] * 4, [20, 30, 0, 0], [50, 0, 40, 60], [0] * 4],
        decode_worker=[2, 0, 0, 0, 1],
        measured=np.array([False, True, True, True, True]),
        start=2.0,
        end=10.0,
        prefill_busy=np.array([6.0, 2.0]),
        prefill_work=np.array([1.5, 2.0]),
        decode_busy=np.array([1.0, 7.0, 0.0]),
        extrapolated=3,
        table_context=202,
        control=ControlHistory(
            time=np.array([0.0, 1, 3, 6, 9, 12]),
            p99=np.array([np.nan, 1, 2, 5, 4, 6]),
            average=np.array([np.nan, 1, 2, 5, 4, 6]),
            regime=np.array([0, 1, 0, 2, 1, 2]),
            temperature=np.zeros(6),
            overlap_weight=np.ones(6),
        ),
    )


EXPECTED = {
    "requests": (4, "1"),
    "throughput": (4 / 8, "1/s"),
    "ttft-mean": ((1 + 2 + 3 + 4) / 4, "s"),
    "ttft-p50": (2.5, "s"),
    "ttft-p99": (3 + 0.97, "s"),
    "itl-mean": ((1 + 1 + 0.5 + 1) / 4, "s"),
    "e2e-mean": ((3 + 6 + 5 + 5) / 4, "s"),
    "e2e-p99": (5 + 0.97, "s"),
    "prefill-wait-mean": ((0 + 0.5 + 1 + 1.5) / 4, "s"),
    "decode-wait-mean": ((0 + 1 + 2 + 0) / 4, "s"),
    "prefix-reuse": (200 / 800, "1"),
    "reuse:g1": (70 / 800, "1"),
    "reuse:g2": (30 / 800, "1"),
    "reuse:g3": (40 / 800, "1"),
    "reuse:g4": (60 / 800, "1"),
    "prefill-busy": (6 / 8, "1"),
    "prefill-load": (2 / 8, "1"),
    "decode-busy": (7 / 8, "1"),
    "busiest": (7 / 8, "1"),
    "decode-imbalance": (3 / (4 / 3), "1"),
    # From 2 s until 5 s, the longest stay before the end: 1, then 2 more than on worker 1.
    "decode-gap": ((1 + 2 + 2) / 3, "1"),
    "beyond-table": (2 / 4, "1"),
    "extrapolated": (3, "1"),
    "slo-attainment": (1 / 4, "1"),
    "ttft-attainment": (3 / 4, "1"),
    "itl-attainment": (1 / 4, "1"),
    "goodput": (1 / 8, "1/s"),
    # Polls at 3, 6 and 9 s are within the window.
    "switches": (3, "1"),
    "regime-highest": (2, "1"),
    "alarmed": (1, "1"),
    "switch-delay": (3 - 2, "s"),
    "alarm-delay": (6 - 2, "s"),
    "clear-delay": (3 - 2, "s"),
    "tail-seen": (4, "s"),
}

SHARES = {"prefill-busy", "prefill-load", "decode-busy", "busiest"}


def test_every_measure_has_an_expected_value():
    assert set(EXPECTED) == set(MEASURES)


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_measure_of_a_run_worked_out_by_hand(run, name):
    measure = get_measure(name, {}, [USERS])
    value, unit = EXPECTED[name]
    assert measure.compute(run, DEPLOYMENT) == pytest.approx(value, rel=1e-12)
    assert measure.unit == unit
    assert measure.name == name
    assert measure.label


def test_labels_are_distinct():
    assert len({m.label for m in MEASURES.values()}) == len(MEASURES)


def test_without_tiers_all_reuse_is_from_g1(make_run):
    run = make_run(2, input_tokens=100, cached_tokens=[10, 40])
    found = [MEASURES[f"reuse:g{n}"].compute(run, DEPLOYMENT) for n in (1, 2, 3, 4)]
    assert found == [50 / 200, 0, 0, 0]
    assert found[0] == MEASURES["prefix-reuse"].compute(run, DEPLOYMENT)


def test_a_run_without_measured_requests_has_counts_but_no_means(make_run):
    empty = make_run(3, measured=np.zeros(3, dtype=bool))
    for name in MEASURES:
        value = get_measure(name, {}, [USERS]).compute(empty, DEPLOYMENT)
        if name in {"requests", "throughput", "goodput", "extrapolated", *SHARES}:
            assert value == 0
        else:
            assert value is None


def test_a_window_of_no_length_has_no_rates(make_run):
    flat = make_run(3, start=2.0, end=2.0)
    for name in {"throughput", "goodput", *SHARES}:
        assert get_measure(name, {}, [USERS]).compute(flat, DEPLOYMENT) is None


def test_an_estimator_is_a_measure(make_run):
    run = make_run(40, decode_worker=np.arange(40) % 2, decode_active=np.full((40, 2), 3))
    options = Estimator(window=10, matching="rectangular")
    measure = get_measure("poa-hat:artefact", {"artefact": options})
    assert (measure.label, measure.unit) == ("PoA-hat (artefact)", "1")
    assert measure.compute(run, DEPLOYMENT) == poa_hat(run, options, itl) == pytest.approx(5)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("tftt-p99", "did you mean 'ttft-p99'"),
        ("poa-hat:sourse", "did you mean 'poa-hat:source'"),
        ("source", "allowed: "),
    ],
)
def test_an_unknown_measure_names_the_nearest(name, hint):
    with pytest.raises(InputError, match=f"unknown measure '{name}'; .*{hint}"):
        get_measure(name, {"source": Estimator()})


def test_a_contradicting_estimator_is_named():
    with pytest.raises(InputError, match=r"^estimators\.bad: freezing 'idle'"):
        get_measure("poa-hat:bad", {"bad": Estimator(entry="router-cost", freezing="idle")})


# -------------------------------------------------------------------------- bootstrap in a run


def test_measures_with_a_request_statistic():
    with_statistic = {name for name in MEASURES if request_statistic(name) is not None}
    assert with_statistic == {
        "ttft-mean",
        "ttft-p50",
        "ttft-p99",
        "itl-mean",
        "e2e-mean",
        "e2e-p99",
        "prefill-wait-mean",
        "decode-wait-mean",
        "prefix-reuse",
        "reuse:g1",
        "reuse:g2",
        "reuse:g3",
        "reuse:g4",
    }
    assert request_statistic("poa-hat:x") is None


@pytest.mark.parametrize("name", sorted(n for n in MEASURES if request_statistic(n)))
def test_the_statistic_of_all_rows_is_the_measure_and_repeats_rows(run, name):
    statistic = request_statistic(name)
    log = run.log.select(run.measured)
    assert statistic(log, np.arange(4)) == MEASURES[name].compute(run, DEPLOYMENT)
    assert statistic(log, np.array([1, 1, 1, 1])) == statistic(log, np.array([1]))


def _random_run(make_run, seed, n=400, **given):
    rng = np.random.default_rng(seed)
    arrival = np.arange(n, dtype=float)
    return make_run(n, first_token=arrival + rng.exponential(size=n), **given)


def test_measure_interval_is_around_the_measure(make_run):
    run = _random_run(make_run, 0, measured=np.arange(400) >= 100)
    options = Bootstrap(resamples=200, block=10)
    interval = measure_interval(run, "ttft-mean", options, np.random.default_rng(1))
    assert interval.value == MEASURES["ttft-mean"].compute(run, DEPLOYMENT)
    assert interval.lo < interval.value < interval.hi
    assert interval.n == 300
    # 300 independent exponentials: a standard error of about 1 / sqrt(300).
    assert (interval.hi - interval.lo) / 2 == pytest.approx(1.96 / np.sqrt(300), rel=0.4)


def test_pairing_removes_what_both_runs_share(make_run):
    shared = np.random.default_rng(2).exponential(size=400) * 10
    arrival = np.arange(400, dtype=float)
    slow = make_run(400, first_token=arrival + shared + 0.5)
    fast = make_run(400, first_token=arrival + shared)
    options = Bootstrap(resamples=100, block=10)
    alone = measure_interval(slow, "ttft-mean", options, np.random.default_rng(3))
    paired = difference_interval(slow.log, fast.log, "ttft-mean", options, np.random.default_rng(3))
    assert paired.value == pytest.approx(0.5)
    assert (paired.lo, paired.hi) == pytest.approx((0.5, 0.5))
    assert alone.hi - alone.lo > 1


def test_a_paired_bootstrap_takes_the_same_requests_from_both(make_run):
    # The difference is 2 for every request, so that any mismatch of rows would show.
    waits = np.random.default_rng(4).exponential(size=60)
    a = make_run(60, first_token=np.arange(60) + waits + 2).log
    b = make_run(60, first_token=np.arange(60) + waits).log
    rng = np.random.default_rng(0)
    interval = difference_interval(a, b, "ttft-p99", Bootstrap(block=5), rng)
    assert (interval.value, interval.lo, interval.hi) == pytest.approx((2, 2, 2))
    assert interval.n == 60


def test_logs_of_different_requests_are_not_pairs(make_run):
    rng = np.random.default_rng(0)
    a = make_run(40)
    for other in (make_run(40, arrival=np.arange(40) + 0.5), make_run(40, prompt=0), make_run(39)):
        with pytest.raises(ValueError, match="same requests"):
            difference_interval(a.log, other.log, "ttft-mean", Bootstrap(), rng)


def test_no_interval_without_statistic_or_requests(make_run):
    run, rng = make_run(40), np.random.default_rng(0)
    nothing = make_run(40, measured=np.zeros(40, dtype=bool))
    none = make_run(0).log
    assert measure_interval(run, "busiest", Bootstrap(), rng) is None
    assert difference_interval(run.log, run.log, "busiest", Bootstrap(), rng) is None
    assert measure_interval(nothing, "ttft-mean", Bootstrap(), rng) is None
    assert difference_interval(none, none, "ttft-mean", Bootstrap(), rng) is None


def test_a_block_longer_than_the_run_gives_the_value_alone(make_run):
    interval = measure_interval(make_run(40), "e2e-mean", Bootstrap(), np.random.default_rng(0))
    assert (interval.value, interval.lo, interval.hi, interval.n) == (1, None, None, 40)
