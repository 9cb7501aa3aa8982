"""Service times: interpolation, extrapolation, scaling, and the tables themselves."""

import copy
import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anarchy.common.errors import InputError
from anarchy.common.paths import LATENCY, ROOT
from anarchy.config.scenario import ServedModel
from anarchy.serving.service_times.lookup import (
    Latency,
    LatencyTable,
    load_latency,
    load_service_times,
)
from anarchy.serving.service_times.table import with_all_reduce
from anarchy.serving.service_times.table_files import latency_sources, load_table

FOLDER = ROOT / LATENCY
FIXED = "fixed-100ms-8ms"
ASSUMED = {FIXED, "shared-1ms"}
NAMES = sorted({path.stem for path in FOLDER.glob("*.json")} - ASSUMED)
MEASURED = [name for name in NAMES if name.endswith("-measured")]
ESTIMATED = [name for name in NAMES if name not in MEASURED]
B200 = "llama31-70b-fp8-tp4-b200-trtllm"
SCALED = "nemotron4-340b-fp8-tp8-b200-trtllm"

TABLE = {
    "model": "toy",
    "system": "toy_gpu",
    "backend": "toy",
    "backend_version": "1",
    "tensor_parallel": 1,
    "provenance": {
        "kind": "estimated",
        "source": "made up",
        "version": "1",
        "licence": "Apache-2.0",
        "call": "none",
        "note": "estimates",
    },
    # From 100 tokens on: 2 + n/100 + (n/100)^2; below it noise.
    "prefill": {"tokens": [10, 50, 100, 200, 400], "seconds": [3.0, 2.5, 4.0, 8.0, 22.0]},
    "itl": {
        "batch": [1, 4, 8],
        "context": [1000, 3000],
        "seconds": [[2.0, 1.0, 3.0], [4.0, 4.0, 7.0]],
    },
}


@pytest.fixture
def latency():
    return Latency(LatencyTable.model_validate(TABLE))


def changed(part, **values):
    data = copy.deepcopy(TABLE)
    data[part].update(values)
    return data


def refusal(folder, data):
    """The message with which `data` is refused, without the path that it begins with."""
    path = folder / "toy.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    with pytest.raises(InputError) as fault:
        load_latency(folder, "toy")
    message = str(fault.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


# ------------------------------------------------------------------------------ look-up


@pytest.mark.parametrize(
    ("tokens", "seconds"),
    [
        (0, 3.0),
        (9, 3.0),
        (10, 3.0),
        (30, 2.75),
        (50, 2.5),
        (150, 6.0),
        (400, 22.0),
        (500, 32.0),
        (1000, 112.0),
    ],
)
def test_prefill_by_hand(latency, tokens, seconds):
    assert latency.prefill(tokens) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    ("batch", "context", "seconds"),
    [
        (1, 1000, 2.0),
        (1, 0, 2.0),
        (0, 1000, 2.0),
        (1, 2000, 3.0),
        (4, 3000, 4.0),
        (4, 5000, 7.0),
        (6, 1000, 2.0),
        (6, 2000, 3.75),
        (8, 3000, 7.0),
        (12, 1000, 5.0),  # one more step from batch 4 to 8
        (12, 3000, 10.0),
    ],
)
def test_itl_by_hand(latency, batch, context, seconds):
    assert latency.itl(batch, context) == pytest.approx(seconds, rel=1e-12)


def test_one_context_makes_the_itl_flat_in_it(tmp_path):
    data = changed("itl", context=[1000], seconds=[[2.0, 1.0, 3.0]])
    latency = Latency(LatencyTable.model_validate(data))
    assert latency.itl_line(4) == (1000.0, 1.0, 0.0)
    assert latency.itl(4, 100_000) == 1.0
    assert latency.extrapolated == 1


def test_constant_and_linear_tables_are_accepted():
    data = changed("prefill", tokens=[1, 2, 3], seconds=[0.1, 0.1, 0.1])
    assert Latency(LatencyTable.model_validate(data)).prefill(1000) == pytest.approx(0.1)
    # 0.1, 0.2, 0.3: in floating point the second difference is negative.
    data = changed("prefill", tokens=[10, 20, 30], seconds=[0.1, 0.2, 0.3])
    assert Latency(LatencyTable.model_validate(data)).prefill(3000) == pytest.approx(30.0)
    data = changed("itl", seconds=[[0.1, 0.4, 0.8], [0.3, 0.6, 1.0]])
    assert Latency(LatencyTable.model_validate(data)).itl(80, 3000) == pytest.approx(8.2)


def test_lookups_beyond_the_table_are_counted(latency):
    for tokens in (0, 10, 400):
        latency.prefill(tokens)
    for batch, context in ((1, 0), (8, 3000)):
        latency.itl(batch, context)
    assert latency.extrapolated == 0
    for _ in range(3):
        latency.prefill(401)
    latency.itl(9, 10)
    latency.itl(1, 3000.5)
    assert latency.extrapolated == 5
    latency.itl_line(9)
    assert latency.extrapolated == 5


@given(
    st.integers(0, 12),
    st.integers(0, 4000) | st.floats(0, 4000, allow_nan=False),
    st.integers(0, 2500),
)
def test_steps_beyond_counts_what_beyond_says(batch, context, steps):
    latency = Latency(LatencyTable.model_validate(TABLE))
    expected = sum(latency.beyond(batch, context + k) for k in range(steps))
    assert latency.steps_beyond(batch, context, steps) == expected


def test_fixed_times_do_not_depend_on_the_work():
    latency = load_latency(FOLDER, FIXED)
    assert {latency.prefill(tokens) for tokens in (0, 1, 100, 8192, 999_999)} == {0.1}
    assert {latency.itl(batch, x) for batch in (1, 5, 256) for x in (0, 10**5)} == {0.008}
    assert latency.extrapolated == 0


# ---------------------------------------------------------- prefill by prompts, all-reduce

BY_PROMPTS = {
    # 10 prompts of 20 tokens in 5 s, where one of 200 takes 8 s.
    "batched": {"prompt_tokens": 20, "tokens": [20, 100, 200], "seconds": [2.875, 3.5, 5.0]},
    "cached": {"tokens": [50, 150], "seconds_per_token": [0.01, 0.03]},
}


@pytest.fixture
def by_prompts():
    return Latency(LatencyTable.model_validate(changed("prefill", **BY_PROMPTS)))


@pytest.mark.parametrize(
    ("tokens", "prompts", "seconds"),
    [
        (200, 1, 8.0),
        (200, 10, 5.0),
        (200, 2, 5 + 3 * 80 / 180),  # prompts of 100 tokens, between 20 and 200
        (200, 3, 5 + 3 * (200 / 3 - 20) / 180),
        (200, 40, 5.0),  # shorter ones cost as much
        (150, 2, 4.25 + 1.75 * 55 / 130),
        (20, 2, 2.875),  # no more than one prompt of the shortest
        (12, 4, 2.975),
        (300, 15, 6.5),  # the line goes on
        (400, 20, 8.0),
        (500, 1, 32.0),
        (500, 5, 9.5 + 22.5 * 80 / 480),
    ],
)
def test_several_prompts_cost_less_than_one_of_all_their_tokens(
    by_prompts, tokens, prompts, seconds
):
    assert by_prompts.prefill(tokens, prompts) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    ("tokens", "prompts", "cached", "seconds"),
    [
        (10, 1, 100, 3.0 + 0.01 * 100),
        (50, 1, 100, 2.5 + 0.01 * 100),
        (100, 1, 100, 4.0 + 0.02 * 100),
        (200, 1, 100, 8.0 + 0.04 * 100),  # the line goes on
        (200, 10, 100, 5.0 + 0.04 * 10),  # by the mean of the prompts
        (200, 10, 0, 5.0),
    ],
)
def test_cached_tokens_are_attended_to(by_prompts, tokens, prompts, cached, seconds):
    assert by_prompts.prefill(tokens, prompts, cached) == pytest.approx(seconds, rel=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 100), st.integers(0, 10**6))
def test_without_the_axes_prompts_and_cached_tokens_change_no_bit(tokens, prompts, cached):
    latency = Latency(LatencyTable.model_validate(TABLE))
    assert latency.prefill(tokens, prompts, cached) == latency.prefill(tokens)


@given(
    st.sampled_from(MEASURED),
    st.integers(1, 30_000),
    st.integers(1, 500),
    st.integers(0, 10**5),
)
def test_prompts_lie_between_the_longest_and_the_shortest(name, tokens, prompts, cached):
    latency = LATENCIES[name]
    ends = sorted((latency.prefill(tokens), latency.prefill(tokens, 10**6)))
    slack = 1e-12 * ends[1]
    assert ends[0] - slack <= latency.prefill(tokens, prompts) <= ends[1] + slack
    assert latency.prefill(tokens, prompts, cached) >= latency.prefill(tokens, prompts) > 0


def test_every_all_reduce_takes_its_time(tmp_path):
    data = changed("prefill", **BY_PROMPTS) | {"all_reduces": 160}
    (tmp_path / "toy.json").write_text(json.dumps(data))
    model = ServedModel(name="m", latency="toy", kv_bytes_per_token=1, all_reduce=1e-5)
    slow = load_service_times(tmp_path, model)
    fast = load_service_times(tmp_path, model.model_copy(update={"all_reduce": 0.0}))
    for tokens, prompts, cached in ((5, 1, 0), (128, 1, 50), (200, 10, 50), (390, 2, 0)):
        more = slow.prefill(tokens, prompts, cached) - fast.prefill(tokens, prompts, cached)
        assert more == pytest.approx(160e-5)
    for batch, context in ((1, 10), (5, 2000), (40, 9000)):
        assert slow.itl(batch, context) - fast.itl(batch, context) == pytest.approx(160e-5)
    assert fast.table == load_table(tmp_path, "toy")


def test_all_reduce_is_not_counted_twice():
    table = load_table(FOLDER, B200)
    assert with_all_reduce(table, 0.0) is table
    with pytest.raises(
        InputError, match=r"model\.all_reduce is 1e-05, but .* include all-reduce; allowed: 0$"
    ):
        with_all_reduce(table, 1e-5)


# ----------------------------------------------------------- properties of every table


@pytest.mark.parametrize("name", NAMES)
def test_the_look_up_meets_the_table_exactly(name):
    latency = load_latency(FOLDER, name)
    prefill, itl = latency.table.prefill, latency.table.itl
    for tokens, seconds in zip(prefill.tokens, prefill.seconds, strict=True):
        assert latency.prefill(tokens) == seconds
    for context, row in zip(itl.context, itl.seconds, strict=True):
        for batch, seconds in zip(itl.batch, row, strict=True):
            assert latency.itl(batch, context) == pytest.approx(seconds, rel=1e-14)
            if context == itl.context[0]:
                assert latency.itl(batch, context) == seconds
    assert latency.extrapolated == 0


@pytest.mark.parametrize("name", NAMES)
def test_prefill_is_continuous_and_rises_where_the_table_does(name):
    """Measured steps of fewer than 128 tokens go up and down with the kernels that are chosen."""
    latency = load_latency(FOLDER, name)
    table = latency.table.prefill
    first = table.tokens.index(128)
    axis, seconds = table.tokens[first:], table.seconds[first:]
    for edge in axis:
        before, at, after = (latency.prefill(edge + d) for d in (-1, 0, 1))
        # Attention is quadratic, nothing is more: one token more changes at most 2 in `edge`.
        assert before <= at <= before * (edge / (edge - 1)) ** 2
        assert at <= after <= at * ((edge + 1) / edge) ** 2
    points = [*range(axis[0], axis[-1], 61), *range(axis[-1], 300_000, 997)]
    times = [latency.prefill(tokens) for tokens in points]
    assert seconds == sorted(seconds)
    assert all(a < b for a, b in pairwise(times))
    assert max(table.seconds[:first], default=0) < seconds[0]


@given(st.sampled_from(NAMES), st.integers(1, 600), st.floats(0, 200_000))
def test_the_itl_is_its_line_positive_and_between_its_neighbours(name, batch, context):
    latency = LATENCIES[name]
    start, value, slope = latency.itl_line(batch)
    assert all(type(part) is float for part in (start, value, slope))
    assert latency.itl(batch, context) == value + slope * max(0.0, context - start)
    assert latency.itl(batch, context) > 0
    axis = latency.table.itl.batch
    if batch <= axis[-1]:
        below = max(b for b in axis if b <= batch)
        above = min(b for b in axis if b >= batch)
        ends = sorted((latency.itl(below, context), latency.itl(above, context)))
        tolerance = 1e-12 * ends[1]
        assert ends[0] - tolerance <= latency.itl(batch, context) <= ends[1] + tolerance


LATENCIES = {name: load_latency(FOLDER, name) for name in NAMES}


@given(st.integers(256, 2000), st.floats(0, 200_000))
def test_beyond_the_table_the_itl_is_linear_in_the_batch(batch, context):
    latency = LATENCIES[B200]
    low, middle, high = (latency.itl(batch + d, context) for d in (0, 1, 2))
    assert high - middle == pytest.approx(middle - low, rel=1e-6)
    assert middle > low


# ------------------------------------------------------------------- the committed tables


@pytest.mark.parametrize("name", NAMES)
def test_only_measured_tables_say_so(name):
    provenance = load_table(FOLDER, name).provenance
    assert (provenance.kind == "measured") == (name in MEASURED)
    if name in ESTIMATED:
        assert "estimates" in provenance.note
        assert "not measurements" in provenance.note
    assert (provenance.kind == "scaled") == name.startswith("nemotron4") * (name in ESTIMATED)


def test_the_published_fit_of_the_default_table():
    """8.15 + 0.02296 N + 1.548e-7 N^2 and 7.10 + 0.0447 B milliseconds; a second derivation."""
    table = load_table(FOLDER, B200)
    for n, seconds in zip(table.prefill.tokens, table.prefill.seconds, strict=True):
        assert 8.15 + 0.02296 * n + 1.548e-7 * n**2 == pytest.approx(1000 * seconds, rel=0.043)
    for b, seconds in zip(table.itl.batch, table.itl.seconds[1], strict=True):
        assert 7.10 + 0.0447 * b == pytest.approx(1000 * seconds, rel=0.046)


def test_the_340b_is_scaled_by_the_roofline():
    base, scaled = load_table(FOLDER, B200), load_table(FOLDER, SCALED)
    weights = (341.0e9 / 8) / (70.6e9 / 4)
    kv = (96 * 8 * 192 / 8) / (80 * 8 * 128 / 4)
    for small, large in zip(base.prefill.seconds, scaled.prefill.seconds, strict=True):
        assert large == pytest.approx(weights * small, rel=1e-12)
    for j in range(len(base.itl.batch)):
        (low, high), (low_scaled, high_scaled) = (
            [row[j] for row in table.itl.seconds] for table in (base, scaled)
        )
        assert high_scaled - low_scaled == pytest.approx(kv * (high - low), rel=1e-9)
        floor = low - (high - low) / 3  # contexts 1024 and 4096: a third of the step to 0
        assert low_scaled == pytest.approx(weights * floor + kv * (low - floor), rel=1e-12)
    assert scaled.model == "Nemotron-4-340B"
    assert scaled.tensor_parallel == 8


def test_the_sources_of_a_scaled_table_are_both_files():
    assert latency_sources(FOLDER, B200) == [FOLDER / f"{B200}.json"]
    assert latency_sources(FOLDER, SCALED) == [FOLDER / f"{SCALED}.json", FOLDER / f"{B200}.json"]


# ---------------------------------------------------------------------------- bad tables


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(InputError, match=rf"unknown latency table '{B200}s'; did you mean"):
        load_latency(FOLDER, B200 + "s")


@pytest.mark.parametrize(
    ("part", "values", "message"),
    [
        (
            "prefill",
            {"tokens": [10, 50, 40, 200, 400]},
            ": prefill.tokens: must increase strictly, but 40 follows 50 at position 2",
        ),
        (
            "prefill",
            {"tokens": [10, 50, 50, 200, 400]},
            ": prefill.tokens: must increase strictly, but 50 follows 50 at position 2",
        ),
        ("itl", {"batch": [1, 8, 4]}, ": itl.batch: must increase strictly, but 4 follows 8"),
        ("itl", {"context": [3000, 1000]}, ": itl.context: must increase strictly, but 1000"),
        ("prefill", {"tokens": [0, 50, 100, 200, 400]}, ": prefill.tokens.0: "),
        ("prefill", {"tokens": [10, 50], "seconds": [1.0, 2.0]}, ": prefill.tokens: "),
        ("prefill", {"seconds": [3.0, 2.5, 4.0, 8.0]}, ": prefill: 4 seconds for 5 tokens"),
        ("prefill", {"seconds": [3.0, 2.5, 4.0, 0.0, 22.0]}, ": prefill.seconds.3: "),
        ("prefill", {"seconds": [3.0, -2.5, 4.0, 8.0, 22.0]}, ": prefill.seconds.1: "),
        ("prefill", {"seconds": [3.0, 2.5, math.nan, 8.0, 22.0]}, ": prefill.seconds.2: "),
        ("prefill", {"seconds": [3.0, 2.5, 4.0, 8.0, math.inf]}, ": prefill.seconds.4: "),
        ("prefill", {"seconds": [3.0, 2.5, 4.0, 8.0, 7.0]}, ": prefill: the parabola through"),
        ("prefill", {"seconds": [3.0, 2.5, 4.0, 8.0, 9.0]}, ": prefill: the parabola through"),
        (
            "prefill",  # a fall like a rounding error, which a hundred million tokens magnify
            {"tokens": [1, 2, 3], "seconds": [1.0, 1.0, 1.0 - 1e-13]},
            ": prefill: the parabola through",
        ),
        ("prefill", {"seconds": [3.0, 2.5, 4.0, 8.0, 1e10]}, ": prefill.seconds.4: "),
        ("itl", {"seconds": [[2.0, 1.0, 1e308], [4.0, 4.0, 1e308]]}, ": itl.seconds.0.2: "),
        (
            "prefill",
            {"batched": BY_PROMPTS["batched"] | {"prompt_tokens": 10}},
            ": prefill.batched: tokens begin with 20, wanted is one prompt of 10",
        ),
        (
            "prefill",
            {"batched": BY_PROMPTS["batched"] | {"tokens": [20, 200, 100]}},
            ": prefill.batched: must increase strictly, but 100 follows 200 at position 2",
        ),
        (
            "prefill",
            {"batched": BY_PROMPTS["batched"] | {"seconds": [1.0, 5.0, 4.0]}},
            ": prefill.batched: seconds fall from 100 to 200 tokens; extrapolated, they would",
        ),
        (
            "prefill",
            {"cached": {"tokens": [50, 150], "seconds_per_token": [0.01]}},
            ": prefill.cached: 1 seconds_per_token for 2 tokens",
        ),
        (
            "prefill",
            {"cached": {"tokens": [50, 150], "seconds_per_token": [0.01, -0.01]}},
            ": prefill.cached.seconds_per_token.1: ",
        ),
        (
            "prefill",
            {"cached": {"tokens": [50, 150], "seconds_per_token": [0.01, 0.0]}},
            ": prefill.cached: seconds_per_token fall from 50 to 150 tokens",
        ),
        (
            "provenance",
            {"kind": "measured"},
            ": unknown key 'provenance.version'; ",
        ),
        ("provenance", {"kind": "guessed"}, ": provenance: "),
        ("prefill", {"second": [1.0]}, ": unknown key 'prefill.second'; did you mean 'seconds'?"),
        ("itl", {"batch": [1], "seconds": [[2.0], [4.0]]}, ": itl.batch: "),
        ("itl", {"context": []}, ": itl.context: 0 points, allowed are one or two"),
        (
            "itl",
            {"context": [1, 2, 3], "seconds": [[2.0, 1.0, 3.0]] * 3},
            ": itl.context: 3 points, allowed are one or two: the ITL of a batch must be one line",
        ),
        ("itl", {"seconds": [[2.0, 1.0, 3.0]]}, ": itl: 1 rows of seconds for 2 contexts"),
        (
            "itl",
            {"seconds": [[2.0, 1.0, 3.0], [4.0, 4.0]]},
            ": itl: 2 seconds at context 3000 for 3 batches",
        ),
        ("itl", {"seconds": [[2.0, 1.0, 0.0], [4.0, 4.0, 7.0]]}, ": itl.seconds.0.2: "),
        (
            "itl",
            {"seconds": [[2.0, 1.0, 3.0], [4.0, 0.9, 7.0]]},
            ": itl: the ITL of batch 4 falls from context 1000 to 3000; extrapolated",
        ),
        (
            "itl",
            {"seconds": [[2.0, 1.0, 0.9], [4.0, 4.0, 7.0]]},
            ": itl: the ITL or its growth with the context falls from batch 4 to 8; extrapolated",
        ),
        (
            "itl",
            {"seconds": [[2.0, 1.0, 3.0], [4.0, 4.0, 5.0]]},
            ": itl: the ITL or its growth with the context falls from batch 4 to 8; extrapolated",
        ),
    ],
)
def test_a_faulty_table_is_refused(tmp_path, part, values, message):
    assert refusal(tmp_path, changed(part, **values)).startswith(message)


def test_values_may_be_noisy_inside_the_table():
    assert TABLE["prefill"]["seconds"][1] < TABLE["prefill"]["seconds"][0]
    assert TABLE["itl"]["seconds"][0][1] < TABLE["itl"]["seconds"][0][0]
    LatencyTable.model_validate(TABLE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": expected keys with values, not NoneType"),
        ('{\n"model": "toy"\n"system"', ":3: not YAML: "),
        ("[1, 2]", ": expected keys with values, not list"),
        ("[" * 100_000, ":1: nested too deeply"),
        ('{"model": ' + "9" * 5000 + "}", ":1: number longer than 1000"),
        ("{}", ": keys 'model', 'system', "),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, text, message):
    assert refusal(tmp_path, text).startswith(message)


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "toy.json").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"toy\.json: not UTF-8 text"):
        load_latency(tmp_path, "toy")


def scaled_table():
    return json.loads((FOLDER / f"{SCALED}.json").read_text()) | {"scaled_from": "base"}


def test_a_scaling_needs_a_table_of_its_own(tmp_path):
    assert refusal(tmp_path, scaled_table()).startswith(": scaled_from: no table 'base'; ")
    (tmp_path / "base.json").write_text(json.dumps(scaled_table()))
    assert refusal(tmp_path, scaled_table()) == ": scaled_from: 'base' is itself scaled"


def test_a_scaling_without_gpus_is_refused(tmp_path):
    (tmp_path / "base.json").write_text(json.dumps(TABLE))
    data = scaled_table()
    data["roofline"]["scaled"]["gpus_per_worker"] = 0
    assert refusal(tmp_path, data).startswith(": roofline.scaled.gpus_per_worker: ")


def test_a_scaling_may_scale_any_table_even_a_constant_one(tmp_path):
    """Rounding must not turn a constant table into one that falls by the last bit."""
    data = changed("prefill", tokens=[1, 2, 3], seconds=[0.1, 0.1, 0.1])
    data["itl"].update(seconds=[[0.007, 0.007, 0.007], [0.008, 0.008, 0.008]])
    (tmp_path / "base.json").write_text(json.dumps(data))
    (tmp_path / "toy.json").write_text(json.dumps(scaled_table()))
    latency = load_latency(tmp_path, "toy")
    weights = (341.0e9 / 8) / (70.6e9 / 4)
    assert latency.prefill(10_000) == pytest.approx(0.1 * weights)
    assert latency.itl(500, 3000) == pytest.approx(0.0065 * weights + 0.0015 * 0.9)
