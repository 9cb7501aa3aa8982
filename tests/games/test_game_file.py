"""Game files: exact numbers, the results' keys, and one clear line for whatever is wrong."""

import json
import math
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from anarchy.cli.main import main
from anarchy.common import paths
from anarchy.common.errors import InputError
from anarchy.games.solve import solve_file
from tests.games.refusals import assert_refused

GOLDEN = {
    case["id"]: case
    for case in json.loads((paths.ROOT / "tests/golden/games.json").read_text("utf-8"))
}


def solve(text: str, folder: Path) -> dict[str, Any]:
    file = folder / "game.yaml"
    file.write_text(text, encoding="utf-8")
    return solve_file(str(file))


def test_decimals_are_exact_to_the_last_digit(tmp_path: Path) -> None:
    long = "0.1234567890123456789012345"
    found = solve(f"kind: parallel-queues\nservice_rates: [1, 1.0e+0]\ndemand: {long}\n", tmp_path)
    assert found["equilibrium_flow"] == [str(Fraction(long) / 2)] * 2


def test_decimals_fractions_and_integers_mix(tmp_path: Path) -> None:
    text = """
kind: congestion
latency: {1: {polynomial: [0, 0.1]}, 2: {table: ["1/10", "2/10"]}}
players:
  - strategies: [{resources: [1]}, {resources: [2], offset: 10}]
  - strategies: [{resources: [1]}, {resources: [2]}]
"""
    found = solve(text, tmp_path)
    assert found["optimum"] == "1/5"
    assert found["profiles"] == [[0, 1]]


def test_irrational_results_are_floats_and_overload_is_infinite(tmp_path: Path) -> None:
    text = "kind: parallel-queues\nservice_rates: [2, 1]\ndemand: {}\n"
    assert isinstance(solve(text.format(2), tmp_path)["optimum_cost"], float)
    found = solve(text.format(3), tmp_path)
    assert (found["optimum_cost"], found["price_of_anarchy"]) == ("inf", None)
    assert "infinitely" in found["reason"]


def test_no_equilibrium_gives_no_ratio_but_a_reason(tmp_path: Path) -> None:
    """Matching pennies: one is credited for company, the other charged for it."""
    text = """
kind: congestion
latency: {w0: {polynomial: [1]}, w1: {polynomial: [1]}}
players:
  - strategies: [{resources: [w0]}, {resources: [w1]}]
  - strategies: [{resources: [w0]}, {resources: [w1]}]
colocation: {credit: [[0, "1/2"], ["-1/2", 0]], combine: sum}
"""
    found = solve(text, tmp_path)
    assert (found["equilibria"], found["profiles"]) == (0, [])
    assert (found["worst_equilibrium"], found["price_of_anarchy"]) == (None, None)
    assert found["reason"] == "no pure equilibrium"


def test_many_equilibria_are_counted_but_not_listed(tmp_path: Path) -> None:
    text = "kind: caching\ntopology: {complete: 12}\nplacement_cost: 0\ndemand: 0\n"
    found = solve(text, tmp_path)
    assert found["equilibria"] == 4096
    assert "profiles" not in found
    assert found["reason"]


def test_results_of_thousands_of_digits_are_printed(tmp_path: Path) -> None:
    """Python prints no integer of more than 4300 digits unless asked to."""
    long = f"1/{'7' * 900}"
    text = f"kind: closed-network\nservice_demands: [1, {long}]\nclients: 9\n"
    assert max(map(len, solve(text, tmp_path)["throughput"].split("/"))) > 4300


COUNTED = """kind: congestion
latency: {w0: {polynomial: [0, 1]}, w1: {polynomial: [1, 1]}}
players:
  - count: {count}
    strategies: [{resources: [w0]}, {resources: [w1]}]
"""


def test_count_stands_for_as_many_players_typed_out(tmp_path: Path) -> None:
    copies = COUNTED.replace("{count}", "4")
    player = "  - {strategies: [{resources: [w0]}, {resources: [w1]}]}\n"
    typed = copies[: copies.index("  - count")] + player * 4
    assert solve(copies, tmp_path) == solve(typed, tmp_path)


def test_large_counted_game_is_exact_and_leaves_out_its_profiles(tmp_path: Path) -> None:
    found = solve(COUNTED.replace("{count}", "200"), tmp_path)
    assert found["equilibria"] == math.comb(200, 100) + math.comb(200, 99)
    assert "profiles" not in found
    assert found["exact"] is True
    assert not {"method", "bounds"} & set(found)


def test_bounds_say_how_they_were_found_and_what_they_bound(tmp_path: Path) -> None:
    file = tmp_path / "game.yaml"
    file.write_text(COUNTED.replace("{count}", "5"), encoding="utf-8")
    found, exact = solve_file(str(file), "bounds"), solve_file(str(file))
    assert (found["exact"], found["equilibria"]) == (False, None)
    assert found["optimum"] == exact["optimum"]
    assert "assignment" in found["method"]
    assert "lower bounds" in found["bounds"]
    assert "profiles" not in found
    assert list(exact) == [
        "kind",
        "equilibria",
        "profiles",
        "optimum",
        "best_equilibrium",
        "worst_equilibrium",
        "price_of_anarchy",
        "price_of_stability",
        "exact_potential",
        "exact",
    ]


CACHES = "kind: caching\ntopology: {complete: 3}\nplacement_cost: 1\n"
QUEUES = "kind: parallel-queues\nservice_rates: [4, 1]\n"
REPLICAS = "kind: dispatchers\nservice_rates: [4, 1]\ndemand: 3\ndispatchers: 2\n"
ROUTING = "kind: congestion\nlatency: {w0: {polynomial: [0, 1]}}\n"
POOLS = """kind: allocation
budget: 8
prefill: {queue: mm1, service_rate: 1, arrival_rate: 2}
decode: {queue: mm1, service_rate: 1, arrival_rate: 2}
"""

FAULTS = {
    "unknown-kind": ("kind: cachin\n", "kind: unknown kind 'cachin'; did you mean 'caching'?"),
    "no-kind": ("players: 2\n", "key 'kind' is missing"),
    "unknown-family": ("kind: bound\nfamily: smothness\n", "did you mean 'smoothness'?"),
    "unknown-key": (CACHES + "capasity: 1\n", "'capasity'; did you mean 'capacity'?"),
    "unknown-nested-key": (
        CACHES.replace("{complete: 3}", "{clusters: {count: 2, sise: 2, intra: 0, inter: 1}}"),
        "'topology.clusters.sise'; did you mean 'size'?",
    ),
    "missing-key": ("kind: caching\ntopology: {line: 3}\n", "key 'placement_cost' is missing"),
    "key-twice": (CACHES + "placement_cost: 2\n", "key 'placement_cost' is given twice"),
    "two-topologies": (CACHES.replace("3}", "3, line: 3}"), "topology: exactly one key is wanted"),
    "negative-demand": (CACHES + "demand: -1\n", "demand: must be at least 0, got -1"),
    "demand-of-wrong-length": (CACHES + "demand: [1, 2]\n", "demand: must be 3 rows"),
    "ragged-demand": (CACHES + "demand: [1, [2], 3]\n", "demand: entry [1]: "),
    "demand-as-word": (CACHES + "demand: many\n", "demand: 'many' is not a finite number"),
    "infinite-demand": (CACHES + "demand: .inf\n", "demand: '.inf' is not a finite number"),
    "boolean-demand": (CACHES + "demand: true\n", "demand: true is not a finite number"),
    "fractional-capacity": (CACHES + "capacity: 1.5\n", "capacity: a whole number is wanted"),
    "grid-of-one-side": (CACHES.replace("complete: 3", "grid: [3]"), "topology.grid: two whole"),
    "empty-network": (CACHES.replace("complete: 3", "line: 0"), "topology.line: must be a whole"),
    "vast-network": (CACHES.replace("complete: 3", "line: 90000"), "allowed: 1000"),
    "queues-as-number": (QUEUES.replace("[4, 1]", "4") + "demand: 1\n", "a list of numbers"),
    "division-by-zero": (QUEUES + "demand: 1/0\n", "demand: '1/0' divides by zero"),
    "unknown-router": (QUEUES + "demand: 1\nrouter: greedy\n", "router: 'selfish' or"),
    "unknown-proxy": (
        QUEUES + "demand: 1\nrouter: {linear-prox: {credit: [0, 1]}}\n",
        "router.linear-prox: input should be 'linear-proxy'",
    ),
    "no-dispatchers": (
        REPLICAS.replace("dispatchers: 2", "dispatchers: 0"),
        "dispatchers: must be from 1 to 1000000",
    ),
    "half-a-dispatcher": (
        REPLICAS.replace("dispatchers: 2", "dispatchers: 1.5"),
        "dispatchers: a whole number is wanted",
    ),
    "offsets-of-wrong-length": (REPLICAS + "offsets: [1]\n", "offsets: needs 2 numbers"),
    "negative-offset": (REPLICAS + "offsets: [0, -1]\n", "offsets: must be at least 0, got -1"),
    "no-strategies": (ROUTING + "players: [{strategies: []}]\n", "players[0].strategies: at least"),
    "unknown-resource": (
        ROUTING + "players: [{strategies: [{resources: [w1]}]}]\n",
        "no resource 'w1', allowed: w0",
    ),
    "resource-twice": (
        ROUTING + "players: [{strategies: [{resources: [w0, w0]}]}]\n",
        "players.0.strategies.0.resources: 'w0' is given twice",
    ),
    "players-as-number": (ROUTING + "players: 3\n", "players: a list is wanted"),
    "no-copies": (
        COUNTED.replace("{count}", "0"),
        "players.0.count: must be from 1 to 10000",
    ),
    "half-a-copy": (COUNTED.replace("{count}", "1.5"), "count: a whole number is wanted"),
    "too-many-copies": (COUNTED.replace("{count}", "1e7"), "count: must be from 1 to 10000"),
    "too-many-copies-together": (
        COUNTED.replace("{count}", "9999") + "  - {count: 2, strategies: [{resources: [w0]}]}\n",
        "players: too many with their copies; allowed: 10000",
    ),
    "long-offset": (
        ROUTING + f"players: [{{strategies: [{{resources: [w0], offset: 1/{'7' * 10**5}}}]}}]\n",
        "players.0.strategies.0.offset: number longer than 1000",
    ),
    "no-players": (ROUTING + "players: []\n", "players: at least one is needed"),
    "credit-for-copies": (
        COUNTED.replace("{count}", "3") + "colocation: {credit: [[0]]}\n",
        "colocation.credit: needs 3 rows, one per player",
    ),
    "too-many-profiles": (
        COUNTED.replace("{count}", "40").replace("[w1]}]", "[w0, w1]}]"),
        "40 players have 1099511627776 profiles, too many to enumerate",
    ),
    "idle-pool": (
        POOLS.replace("rate: 1,", "rate: 0,", 1),
        "prefill.service_rate: must be greater",
    ),
    "unknown-queue": (POOLS.replace("mm1", "mm2", 1), "prefill.queue: input should be"),
    "short-table": (
        "kind: bound\nfamily: smoothness\nlatency: [{table: [1]}]\nplayers: 2\n",
        "table: gives loads 1 to 1",
    ),
    "high-degree": ("kind: bound\nfamily: atomic-polynomial\ndegree: 101\n", "at most 100"),
    "long-integer": (CACHES + f"demand: {'9' * 10**5}\n", "demand: number longer than 1000"),
    "long-rational": (CACHES + f"demand: 1/{'9' * 10**5}\n", "demand: number longer than 1000"),
    "long-count": (
        f"kind: closed-network\nservice_demands: [1]\nclients: {'9' * 10**5}\n",
        "clients: number longer than 1000",
    ),
    "many-clients": (
        "kind: closed-network\nservice_demands: [1]\nclients: 1e9\n",
        "clients: too many clients",
    ),
    "a-list": ("[1, 2]\n", "expected keys with values, not list"),
    "empty": ("", "expected keys with values"),
    "not-yaml": ("kind: {a: [\n", "bad.yaml:2: not YAML"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_one_line_that_names_file_and_key(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_refused(*FAULTS[name], tmp_path, capsys)


def test_missing_and_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        solve_file(str(tmp_path / "none.yaml"))
    with pytest.raises(InputError, match="cannot be read"):
        solve_file(str(tmp_path))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        solve_file(str(tmp_path / "binary"))


def command(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """`anarchy solve` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "anarchy", "solve", *arguments],
        input=given,
        env={**os.environ, "PYTHONPATH": str(paths.ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "name",
    [
        "game.CK_affine_3p",
        "cache.line.n100.a16",
        "proxy.two_servers.S1.w1/4",
        "gnep.mmc_int_G8_lP2_lD3",
        "ref.poly_unweighted.d1",
        "knee.mva_D(1,2)_N1",
    ],
)
def test_command_prints_one_object(name: str) -> None:
    done = command("-", given=json.dumps(GOLDEN[name]["game"]))
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert GOLDEN[name]["expected"].items() <= found.items()


def test_command_refuses_in_one_line() -> None:
    done = command("-", given=CACHES + "demand: -1\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "anarchy: standard input: demand: must be at least 0, got -1\n"


def test_nothing_heavy_is_imported_for_a_closed_form() -> None:
    code = (
        "import sys; from anarchy.cli.main import main; main(['solve', '-']);"
        "print(sorted({'matplotlib', 'numpy', 'pyarrow', 'rich', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=QUEUES + "demand: 1\n",
        env={**os.environ, "PYTHONPATH": str(paths.ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_table_shows_every_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "game.yaml"
    file.write_text(CACHES.replace("complete: 3", "line: 60").replace("cost: 1", "cost: 90"))
    assert main(["solve", str(file), "--format", "table"]) == 0
    text = capsys.readouterr().out
    assert "price_of_anarchy" in text
    assert "... and 40 more" in text


def test_help_shows_a_game_and_its_true_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as done:
        main(["solve", "--help"])
    assert done.value.code == 0
    text = capsys.readouterr().out
    example = text[text.index("  kind: parallel") : text.index("Saved as")]
    answer = text[text.index('{"equilibrium_flow') : text.index("Selfish requests")]
    assert solve(example, tmp_path) == json.loads(answer)
    routing = text[text.index("  kind: congestion") : text.index('Its "price_of_anarchy"')]
    found = solve(routing, tmp_path)
    assert f'Its "price_of_anarchy" is "{found["price_of_anarchy"]}"' in text
    assert found["exact"] is True


def test_readme_game_has_the_answer_that_it_states(tmp_path: Path) -> None:
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    start = text.index("# caches.yaml")
    found = solve(text[start : text.index("```", start)], tmp_path)
    assert found["profiles"] == [[[]] * 8]
    assert f'`"{found["price_of_anarchy"]}"`' in text
