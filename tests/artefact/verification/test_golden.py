"""Golden rows: what they hold of a build, and that a digest misses nothing."""

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest

from anarchy.artefact.numbers import Number
from anarchy.artefact.verification.golden import RELATIVE, collect_golden, key_of
from anarchy.common.files import write_rows

SWEEP = [
    {"id": "ttft", "clients": load, "value": 0.01 * load, "lo": 0.009 * load, "hi": 0.011 * load}
    for load in (1, 2, 3)
] + [{"id": "knee", "value": 97}]
A = "experiments/a.json"
DECLARED = [
    Number(macro="Ttft", file=A, id="ttft", where={"clients": 2}),
    Number(macro="TtftRange", file=A, id="ttft", where={"clients": 2}, format="interval"),
    Number(macro="Knee", file=A, id="knee", format="int"),
    Number(macro="Left", file=A, id="ttft", where={"clients": 9}),
]


def collect(folder: Path, rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    write_rows(folder / "results/experiments/a.json", rows)
    write_rows(folder / "results/claims.json", [{"id": "C01", "verdict": "contradicted"}])
    write_rows(folder / "results/points/a/0.json", [{"id": "raw", "value": 1.0}])
    write_rows(folder / "results/machine/speed.json", [{"id": "seconds", "value": 1.0}])
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config/config.yaml").write_text("seed: 1\n")
    found = collect_golden(folder / "results", DECLARED, folder / "config")
    return {key_of(row): row for row in found}


def test_macros_have_value_tolerance_and_interval(tmp_path: Path) -> None:
    rows = collect(tmp_path, SWEEP)
    ttft = rows["number", A, "Ttft"]
    assert ttft["value"] == pytest.approx(0.02)
    assert ttft["tolerance"] == pytest.approx(RELATIVE * 0.02, rel=1e-9)
    assert (ttft["lo"], ttft["hi"]) == pytest.approx((0.018, 0.022))
    assert "95 %" in ttft["reason"]
    knee = rows["number", A, "Knee"]
    assert knee["value"] == 97
    assert "lo" not in knee
    assert rows["number", A, "TtftRange:lo"]["value"] == pytest.approx(0.018)
    assert rows["number", A, "TtftRange:hi"]["value"] == pytest.approx(0.022)
    assert rows["number", A, "Left"]["value"] is None


def test_verdicts_and_inputs_are_words(tmp_path: Path) -> None:
    rows = collect(tmp_path, SWEEP)
    assert rows["claim", "claims.json", "C01"]["value"] == "contradicted"
    assert len(rows["input", "config/config.yaml", "sha256"]["value"]) == 64
    assert all(row["reason"] for row in rows.values())


def test_raw_results_and_the_machine_are_left_out(tmp_path: Path) -> None:
    files = {file for _, file, _ in collect(tmp_path, SWEEP)}
    assert {A, "claims.json"} <= files
    assert not any("points" in file or "machine" in file for file in files)


def test_a_digest_says_how_many_rows_and_their_mean(tmp_path: Path) -> None:
    digest = collect(tmp_path, SWEEP)["rows", A, "ttft"]
    assert digest["rows"] == 3
    assert digest["value"] == pytest.approx(0.02)


def test_a_file_of_many_ids_has_one_digest(tmp_path: Path) -> None:
    curve = [{"id": f"p{i}", "value": i} for i in range(200)]
    rows = collect(tmp_path, [*SWEEP, *curve])
    names = [name for of, file, name in rows if of == "rows" and file == A]
    assert names == ["all"]
    assert rows["rows", A, "all"]["rows"] == 204


@pytest.mark.parametrize("case", range(40))
def test_any_change_of_a_millionth_moves_a_digest(case: int, tmp_path: Path) -> None:
    """However small the number is beside others; and so does an exchange of two."""
    chance = random.Random(case)
    rows = [
        {"id": "x", "value": chance.uniform(1, 9) * 10 ** chance.randint(-6, 6)} for _ in range(150)
    ]
    key = ("rows", A, "x")
    before = collect(tmp_path, [*SWEEP, *rows])[key]
    place, other = chance.sample(range(150), 2)
    changed = json.loads(json.dumps(rows))
    if case % 2:
        changed[place]["value"] *= 1 + 1e-6 * chance.choice([-1, 1])
    else:
        changed[place], changed[other] = changed[other], changed[place]
    after = collect(tmp_path, [*SWEEP, *changed])[key]
    assert abs(after["digest"] - before["digest"]) > before["tolerance"]


def test_noise_of_the_last_digits_does_not_move_a_digest(tmp_path: Path) -> None:
    key = ("rows", A, "ttft")
    before = collect(tmp_path, SWEEP)[key]
    noisy = [{**row, "value": row["value"] * (1 + 1e-11)} for row in SWEEP]
    after = collect(tmp_path, noisy)[key]
    assert abs(after["digest"] - before["digest"]) <= before["tolerance"]


def test_infinities_have_a_digest_of_their_own(tmp_path: Path) -> None:
    key = ("rows", A, "bound")
    digests = [
        collect(tmp_path, [*SWEEP, {"id": "bound", "value": value}])[key]["digest"]
        for value in (math.inf, -math.inf, 1.0)
    ]
    assert all(map(math.isfinite, digests))
    assert len(set(digests)) == 3


def test_exact_numbers_count_though_they_are_text(tmp_path: Path) -> None:
    key = ("rows", A, "poa")
    before = collect(tmp_path, [*SWEEP, {"id": "poa", "value": "25/24"}])[key]
    after = collect(tmp_path, [*SWEEP, {"id": "poa", "value": "25/23"}])[key]
    assert before["value"] == pytest.approx(25 / 24)
    assert before["digest"] != after["digest"]
