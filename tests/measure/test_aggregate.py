import math

import pytest

from anarchy.common.errors import InputError
from anarchy.common.files import read_rows, write_rows
from anarchy.measure.aggregate import aggregate, compare, spread
from anarchy.measure.intervals import mean_interval, paired_difference, paired_ratio

KEYS = ["scenario", "workload.clients"]


def rows_of(values, measure="ttft-p99", scenario="a", clients=1, **more):
    return [
        {
            "scenario": scenario,
            "workload.clients": clients,
            "replication": k,
            "id": measure,
            "label": measure.upper(),
            "unit": "s",
            "value": value,
            **more,
        }
        for k, value in enumerate(values)
    ]


# -------------------------------------------------------------------------------- aggregate


def test_aggregate_gives_one_row_per_point_and_measure_in_order_of_occurrence():
    rows = (
        rows_of([2.0, 4.0], clients=2)
        + rows_of([1.0, 3.0], clients=1)
        + rows_of([5.0, 6.0], measure="busiest", clients=2)
    )
    found = aggregate(rows, KEYS)
    assert [(r["workload.clients"], r["id"], r["value"]) for r in found] == [
        (2, "ttft-p99", 3.0),
        (1, "ttft-p99", 2.0),
        (2, "busiest", 5.5),
    ]
    expected = mean_interval([2.0, 4.0])
    assert found[0] == {
        "scenario": "a",
        "workload.clients": 2,
        "id": "ttft-p99",
        "label": "TTFT-P99",
        "unit": "s",
        "value": 3.0,
        "lo": expected.lo,
        "hi": expected.hi,
        "n": 2,
    }


def test_rows_without_label_and_unit_stay_without():
    bare = [{"a": 1, "replication": k, "id": "x", "value": 2.0} for k in range(2)]
    assert aggregate(bare, ["a"]) == [
        {"a": 1, "id": "x", "value": 2.0, "lo": 2.0, "hi": 2.0, "n": 2}
    ]


def test_a_missing_replication_makes_the_point_missing_not_selected():
    (row,) = aggregate(rows_of([1.0, None, 3.0]), KEYS)
    assert (row["value"], row["lo"], row["hi"], row["n"]) == (None, None, None, 2)


def test_a_single_replication_keeps_the_interval_found_within_it():
    (row,) = aggregate(rows_of([2.0], lo=1.5, hi=2.5, n=12031), KEYS)
    assert (row["value"], row["lo"], row["hi"], row["n"]) == (2.0, 1.5, 2.5, 12031)


def test_a_single_replication_without_interval_gets_none():
    (row,) = aggregate(rows_of([2.0]), KEYS)
    assert (row["value"], row["lo"], row["hi"], row["n"]) == (2.0, None, None, 1)
    (row,) = aggregate(rows_of([None]), KEYS)
    assert (row["value"], row["lo"], row["hi"], row["n"]) == (None, None, None, 0)


def test_a_repeated_replication_is_an_error():
    with pytest.raises(ValueError, match="replication 0 twice"):
        aggregate(rows_of([1.0]) + rows_of([2.0]), KEYS)


def test_no_rows_aggregate_to_none():
    assert aggregate([], KEYS) == []


def test_aggregated_rows_can_be_written_and_read(tmp_path):
    rows = aggregate(rows_of([1.0, math.inf]) + rows_of([1.0, None], measure="x"), KEYS)
    write_rows(tmp_path / "rows.json", rows)
    assert read_rows(tmp_path / "rows.json") == rows


# ---------------------------------------------------------------------------------- compare


def policies(ours, baseline, **more):
    given = {"router.policy": "kv"}
    other = {"router.policy": "round-robin"}
    return rows_of(baseline, **other, **more) + rows_of(ours, **given, **more)


def test_compare_pairs_replications_and_says_whether_they_differ():
    ours, baseline = [1.0, 11.0, 21.5], [2.0, 12.0, 22.0]
    (row,) = compare(
        policies(ours, baseline),
        [*KEYS, "router.policy"],
        "router.policy",
        "round-robin",
        ["ttft-p99"],
        0.8,
    )
    difference = paired_difference(ours, baseline, 0.8)
    ratio = paired_ratio(ours, baseline, 0.8)
    assert row == {
        "scenario": "a",
        "workload.clients": 1,
        "alternative": "kv",
        "baseline": "round-robin",
        "id": "ttft-p99",
        "label": "TTFT-P99",
        "unit": "s",
        "value": difference.value,
        "lo": difference.lo,
        "hi": difference.hi,
        "n": 3,
        "ratio": ratio.value,
        "ratio_lo": ratio.lo,
        "ratio_hi": ratio.hi,
        "differs": True,
    }


def compare_policies(rows):
    keys = [*KEYS, "router.policy"]
    return compare(rows, keys, "router.policy", "round-robin", ["ttft-p99"])


def test_an_interval_around_zero_does_not_differ():
    (row,) = compare_policies(policies([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]))
    assert row["value"] == 0
    assert row["lo"] < 0 < row["hi"]
    assert row["differs"] is False


def test_pairs_are_made_by_replication_not_by_position():
    rows = policies([1.0, 2.0, 3.0], [1.5, 2.5, 3.5])
    assert compare_policies(rows[::-1]) == compare_policies(rows)
    assert compare_policies(rows)[0]["lo"] == -0.5


def test_each_other_point_is_compared_with_its_own_baseline():
    rows = policies([1.0, 2.0], [1.0, 2.0]) + policies([9.0, 10.0], [1.0, 2.0], clients=2)
    assert [r["value"] for r in compare_policies(rows)] == [0, 8]


def test_a_single_pair_never_differs():
    (row,) = compare_policies(policies([1.0], [100.0]))
    assert (row["value"], row["lo"], row["hi"], row["differs"]) == (-99.0, None, None, False)


def test_a_missing_value_makes_the_comparison_missing():
    (row,) = compare_policies(policies([1.0, None], [1.0, 2.0]))
    assert (row["value"], row["ratio"], row["n"], row["differs"]) == (None, None, 1, False)


def test_a_baseline_of_zero_has_a_difference_but_no_ratio():
    (row,) = compare_policies(policies([1.0, 1.0], [0.0, 0.0]))
    assert (row["value"], row["ratio"], row["differs"]) == (1.0, None, True)


def test_points_with_other_replications_are_not_pairs():
    with pytest.raises(ValueError, match="not pairs"):
        compare_policies(policies([1.0, 2.0], [1.0]))
    rows = policies([1.0], [1.0]) + rows_of([1.0], clients=7, **{"router.policy": "kv"})
    with pytest.raises(ValueError, match="not pairs"):
        compare_policies(rows)


@pytest.mark.parametrize(
    ("field", "baseline", "measure", "hint"),
    [
        ("router.polcy", "kv", "ttft-p99", "unknown field 'router.polcy'.*'router.policy'"),
        ("router.policy", "roundrobin", "ttft-p99", "unknown baseline.*'round-robin'"),
        ("router.policy", "kv", "ttft-p9", "unknown measure 'ttft-p9'.*'ttft-p99'"),
    ],
)
def test_compare_refuses_unknown_names(field, baseline, measure, hint):
    with pytest.raises(InputError, match=hint):
        compare(policies([1.0], [1.0]), [*KEYS, "router.policy"], field, baseline, [measure])


def spread_row(tau, omega, value, lo=None, hi=None):
    keys = {"scenario": "s", "tau": tau, "omega": omega}
    return {**keys, "id": "m", "unit": "1", "value": value, "lo": lo, "hi": hi, "n": 3}


def test_spread_is_the_variation_of_means_beside_that_of_the_intervals():
    rows = [spread_row(0, 0, 1.0, 0.9, 1.1), spread_row(0, 1, 3.0, 2.9, 3.1)]
    (found,) = spread(rows, ["scenario", "tau", "omega"], ["tau", "omega"], ["m"])
    assert (found["scenario"], found["id"], found["n"]) == ("s", "m", 2)
    assert found["value"] == pytest.approx(0.5)
    assert (found["least"], found["most"]) == (1.0, 3.0)
    assert found["noise"] == pytest.approx(0.05)
    assert "tau" not in found


def test_spread_keeps_the_other_fields_apart():
    rows = [spread_row(t, o, 1.0 + t) for t in (0, 1) for o in (0, 1)]
    found = spread(rows, ["scenario", "tau", "omega"], ["omega"], ["m"])
    assert [(row["tau"], row["value"], row["noise"]) for row in found] == [
        (0, 0.0, None),
        (1, 0.0, None),
    ]


def test_spread_of_a_missing_mean_is_unknown():
    rows = [spread_row(0, 0, None), spread_row(0, 1, 2.0)]
    (found,) = spread(rows, ["scenario", "tau", "omega"], ["omega"], ["m"])
    assert found["value"] is None


@pytest.mark.parametrize(("over", "measures"), [(["rho"], ["m"]), (["tau"], ["k"])])
def test_spread_refuses_what_does_not_occur(over, measures):
    with pytest.raises(InputError, match="unknown"):
        spread([spread_row(0, 0, 1.0)], ["scenario", "tau", "omega"], over, measures)
