"""Numbers, sizes and files at the edge of what is solved: an answer or one line, never a crash."""

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from anarchy.common.errors import InputError
from anarchy.games import game_file
from anarchy.games.common.rational import exact_text
from anarchy.games.queueing import closed_forms
from anarchy.games.solve import solve, solve_file

BEYOND_INT64 = 10**30


def solved(game: dict[str, Any]) -> dict[str, Any]:
    return solve(game_file.parse(json.loads(json.dumps(game), parse_int=str), "game"))


def written(folder: Path, text: str) -> str:
    file = folder / "game.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_credits_beyond_64_bits_are_exact() -> None:
    for combine in ("sum", "max"):
        credit = [[0, BEYOND_INT64], [BEYOND_INT64, 0]]
        found = solved(
            {
                "kind": "congestion",
                "latency": {"w": {"polynomial": [1]}, "v": {"polynomial": [1]}},
                "players": [{"count": 2, "strategies": [{"resources": [r]} for r in "wv"]}],
                "colocation": {"credit": credit, "combine": combine},
            }
        )
        assert found["optimum"] == str(2 - 2 * BEYOND_INT64)
        assert found["equilibria"] == 2
        assert found["reason"]


def test_more_players_than_array_dimensions_are_enumerated() -> None:
    linear = {"polynomial": [0, 1]}
    found = solved(
        {
            "kind": "congestion",
            "latency": {"w": linear, "v": linear},
            "players": [
                {"count": 70, "strategies": [{"resources": ["w"]}]},
                {"count": 1, "strategies": [{"resources": ["w"]}, {"resources": ["v"]}]},
            ],
        }
    )
    assert found["profiles"] == [[0] * 70 + [1]]
    assert found["optimum"] == str(70 * 70 + 1)


def test_an_optimum_of_thousands_of_digits_below_0_has_a_short_reason() -> None:
    players = [
        {"strategies": [{"resources": [], "offset": f"-1/{10**800 + i * i + 1}"}]}
        for i in range(10)
    ]
    found = solved({"kind": "congestion", "latency": {}, "players": players})
    assert found["price_of_anarchy"] is None
    assert found["reason"] == "the optimum is below 0, a ratio needs one above 0"


@pytest.mark.parametrize(
    "game",
    [
        {"kind": "parallel-queues", "service_rates": ["2e400", "1e400"], "demand": "2e400"},
        {"kind": "parallel-queues", "service_rates": [2, 1], "demand": "2." + "9" * 400},
        {
            "kind": "allocation",
            "budget": "1e400",
            "prefill": {"queue": "mm1", "service_rate": 2, "arrival_rate": 1},
            "decode": {"queue": "mm1", "service_rate": 1, "arrival_rate": 1},
        },
    ],
)
def test_irrational_results_beyond_every_float_are_refused(game: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="exceeds every float"):
        solved(game)


def test_rational_results_beyond_every_float_are_exact() -> None:
    found = solved(
        {"kind": "parallel-queues", "service_rates": ["4e400", "1e400"], "demand": "25e399"}
    )
    assert found["price_of_anarchy"] == "25/24"


def test_a_price_of_stability_without_a_bound_has_a_reason() -> None:
    game = {
        "kind": "caching",
        "topology": {"line": 2},
        "placement_cost": [f"{BEYOND_INT64}/97", "1/5"],
        "demand": 1,
        "miss_cost": "3/10",
    }
    found = solve(game_file.parse(json.loads(json.dumps(game), parse_int=str), "game"), "bounds")
    assert (found["price_of_stability"] is None) == ("reason" in found)


def test_a_long_mean_value_analysis_equals_the_normalising_constants() -> None:
    demands, clients, think = [Fraction(1, 7), Fraction(22, 10), Fraction(1, 3)], 60, Fraction(5, 9)
    constants = [Fraction(1)]
    for n in range(1, clients + 1):
        constants.append(constants[-1] * think / n)
    for demand in demands:
        for n in range(1, clients + 1):
            constants[n] += demand * constants[n - 1]
    report = closed_forms.mva(demands, clients, think)
    assert report.throughput == constants[-2] / constants[-1]
    assert report.residence_time == clients / report.throughput - think
    assert sum(report.queue_lengths) + report.throughput * think == clients


def test_exact_numbers_of_a_closed_network_stay_within_bounds() -> None:
    with pytest.raises(InputError, match=r"clients: .* too long"):
        closed_forms.mva([Fraction(1, 10**900 + 7), Fraction(1, 10**900 + 9)], 3000)


def test_waits_of_all_sizes_in_one_pass_equal_single_ones() -> None:
    for rate, arrivals in ((Fraction(3, 2), Fraction(7, 5)), (Fraction(1), Fraction(3))):
        single = [closed_forms.mmc_latency(c, rate, arrivals) for c in range(1, 12)]
        assert closed_forms.mmc_latencies(11, rate, arrivals) == single


@pytest.mark.parametrize(("queue", "allowed"), [("mm1", 10**5), ("mmc", 1000)])
def test_a_budget_with_too_many_splits_is_refused(queue: str, allowed: int) -> None:
    pool = {"queue": queue, "service_rate": 1, "arrival_rate": 1}
    game = {"kind": "allocation", "integer": True, "prefill": pool, "decode": pool}
    with pytest.raises(InputError, match=f"allowed: {allowed}"):
        solved(game | {"budget": allowed + 1})


def test_too_many_latencies_for_one_bound_are_refused() -> None:
    game = {"kind": "bound", "family": "smoothness", "players": 60}
    with pytest.raises(InputError, match="latency: 4 latencies of 60 players"):
        solved(game | {"latency": [{"polynomial": [0, 1]}] * 4})


def test_a_short_table_of_a_bound_is_named() -> None:
    game = {"kind": "bound", "family": "smoothness", "players": 3, "latency": [{"table": [1]}]}
    with pytest.raises(InputError, match=r"latency\.table: gives loads 1 to 1"):
        solved(game)


def test_json_indented_with_tabs_is_read(tmp_path: Path) -> None:
    text = '{\n\t"kind": "parallel-queues",\n\t"service_rates": [4, 1e0],\n\t"demand": 2.5\n}\n'
    assert solve_file(written(tmp_path, text))["price_of_anarchy"] == "25/24"


def test_json_with_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'kind' is given twice"):
        solve_file(written(tmp_path, '{"kind": "bound", "kind": "bound"}'))


@pytest.mark.parametrize(
    "text",
    [
        "kind: caching\nplacement_cost: 1\ntopology:\n  line: 2\n"
        f"demand: [&a [{','.join(['1'] * 2000)}],{','.join(['*a'] * 2000)}]",
        "kind: congestion\nlatency: {w: {polynomial: [1]}}\nplayers: [&p {strategies: [&s "
        f"{{resources: [w]}},{','.join(['*s'] * 2000)}]}},{','.join(['*p'] * 2000)}]",
        "kind: caching\ntopology: {line: 2}\nplacement_cost: &a [*a, *a]",
    ],
)
def test_aliases_that_stand_for_too_much_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="too many values, aliases included"):
        solve_file(written(tmp_path, text))


@pytest.mark.parametrize("depth", [500, 5000, 200_000])
def test_deep_nesting_is_refused(tmp_path: Path, depth: int) -> None:
    nested = "[" * depth + "]" * depth
    with pytest.raises(InputError, match=r"nested|recursion"):
        solve_file(written(tmp_path, f'{{"kind": "caching", "topology": {nested}}}'))


def test_a_message_repeats_little_of_a_long_value(tmp_path: Path) -> None:
    text = f"kind: parallel-queues\nservice_rates: [[{'1, ' * 500}]]\ndemand: 1"
    with pytest.raises(InputError) as refused:
        solve_file(written(tmp_path, text))
    assert len(str(refused.value).replace(str(tmp_path), "")) < 300


def test_a_reader_that_leaves_is_no_fault(tmp_path: Path) -> None:
    pool = "{queue: mm1, service_rate: 1, arrival_rate: 1}"
    file = written(
        tmp_path,
        f"{{kind: allocation, budget: 3000, integer: true, prefill: {pool}, decode: {pool}}}",
    )
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "anarchy", "solve", file]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_exact_text_of_numbers_longer_than_python_prints() -> None:
    assert exact_text(Fraction(10**5000 + 1, 7)) == f"1{'0' * 4999}1/7"


@pytest.mark.parametrize("value", ["!!timestamp 2026-01-01", "!!bool foo", "!!set {a}"])
def test_a_tag_that_does_not_fit_its_value_is_refused(value: str, tmp_path: Path) -> None:
    file = tmp_path / "game.yaml"
    file.write_text(f"kind: caching\nplacement_cost: {value}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"game\.yaml:2: (not YAML: could not|'foo' is no bool)"):
        solve_file(str(file))


LINEAR = {"polynomial": [0, 1]}
CROWD = {"strategies": [{"resources": ["a"]}]}


@pytest.mark.parametrize(
    ("game", "fault"),
    [
        (
            {
                "kind": "congestion",
                "latency": {"a": {"polynomial": ["1"] * 102}},
                "players": [CROWD],
            },
            "latency.a.polynomial: 102 coefficients; allowed: 101",
        ),
        (
            {
                "kind": "congestion",
                "latency": {"a": LINEAR},
                "players": [CROWD | {"count": 10_001}],
            },
            "players.0.count: must be from 1 to 10000",
        ),
        (
            {
                "kind": "congestion",
                "latency": {name: {"polynomial": ["1"] * 101} for name in "abcdef"},
                "players": [CROWD | {"count": 1000}],
            },
            "1000 players and latencies of 606 terms are too many together",
        ),
        (
            {"kind": "caching", "topology": {"grid": [3, 67]}, "placement_cost": 1},
            "topology: grid: too many nodes; allowed: 200",
        ),
        (
            {
                "kind": "caching",
                "topology": {"star": 100},
                "placement_cost": 1,
                "demand": [["1"] * 5] * 100,
            },
            "50000 nodes times nodes times objects are too many; allowed: 40000",
        ),
        (
            {
                "kind": "caching",
                "topology": {"line": 400},
                "placement_cost": 1,
                "demand": [["1"] * 3] * 400,
            },
            "1200 nodes times objects are too many; allowed: 1000",
        ),
        (
            {"kind": "parallel-queues", "service_rates": ["1"] * 100_001, "demand": 1},
            "service_rates: 100001 servers; allowed: 20000",
        ),
        (
            {
                "kind": "bound",
                "family": "smoothness",
                "latency": [{"polynomial": ["1"] * 101}],
                "players": 60,
            },
            "players: too many for a degree above 5; allowed: 12",
        ),
        (
            {
                "kind": "bound",
                "family": "smoothness-with-offset",
                "latency": [{"polynomial": [f"{10**100 + k}/{10**99 - k}" for k in range(6)]}],
                "players": 60,
                "perceived_offset_weight": 4,
            },
            "digits is too long; allowed: 250",
        ),
    ],
)
def test_games_that_would_take_minutes_are_refused(game: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError) as refused:
        solved(game)
    assert fault in str(refused.value)


def test_standard_input_without_end_is_refused() -> None:
    command = [sys.executable, "-m", "anarchy", "solve", "-"]
    with Path("/dev/zero").open("rb") as zeros:
        done = subprocess.run(command, stdin=zeros, capture_output=True, text=True, check=False)
    message = "anarchy: standard input: too long; allowed: 10,000,000 bytes\n"
    assert (done.returncode, done.stderr) == (2, message)
