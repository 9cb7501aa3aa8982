"""Logs of one's own: what is derived, and one line that names the column for the rest."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from anarchy.common.errors import InputError
from anarchy.config.estimator import Estimator
from anarchy.measure.estimators.empirical_poa import Indices
from anarchy.measure.estimators.log_file import WANTED, read_own_log
from anarchy.serving.log.request_log import write_log

ROWS = {
    "arrival": [0.0, 0.25, 0.5, 0.75],
    "routed": [1.0, 1.5, 2.0, 2.5],
    "first_token": [1.0, 1.5, 2.0, 2.5],
    "done": [3.0, 1.75, 4.0, 5.0],
    "decode_worker": [0, 1, 0, 1],
    "output_tokens": [10, 10, 10, 10],
}


def csv(path: Path, **changes: list[object]) -> Path:
    columns = {name: values for name, values in (ROWS | changes).items() if values}
    lines = [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([",".join(columns), *lines]) + "\n", encoding="utf-8")
    return path


def test_what_a_log_lacks_is_derived(tmp_path: Path) -> None:
    own = read_own_log(csv(tmp_path / "log.csv"))
    log = own.run.log
    # Just before each decision, without the request: worker 1 has lost its first by 2.0.
    assert log.decode_active.tolist() == [[0, 0], [1, 0], [1, 0], [2, 0]]
    assert log.decode_start.tolist() == ROWS["routed"]
    assert (own.run.start, own.run.end) == (0.0, 5.0)
    assert own.run.measured.all()
    assert {"prefill_start", "decode_cost"} <= own.absent


def test_rows_may_come_in_any_order(tmp_path: Path) -> None:
    turned = {name: values[::-1] for name, values in ROWS.items()}
    one = read_own_log(csv(tmp_path / "one.csv")).run.log
    other = read_own_log(csv(tmp_path / "other.csv", **turned)).run.log
    for name, values in one.columns().items():
        assert np.array_equal(values, getattr(other, name)), name


def test_columns_of_one_number_a_worker_are_numbered_in_csv_and_lists_in_parquet(
    tmp_path: Path,
) -> None:
    seen = {"decode_active_0": [0, 1, 2, 3], "decode_active_1": [4, 5, 6, 7]}
    seen |= {"decode_cost_0": [1.5] * 4, "decode_cost_1": [0.5] * 4}
    written = csv(tmp_path / "log.csv", **seen)
    own = read_own_log(written)
    assert own.run.log.decode_active.tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]
    write_log(tmp_path / "log.parquet", own.run.log)
    again = read_own_log(tmp_path / "log.parquet")
    assert again.absent == {"cached_by_tier"}
    options = Estimator(window=2, entry="router-cost")
    assert Indices(again.run, None).report(options) == Indices(own.run, None).report(options)


def test_unknown_columns_are_left_out(tmp_path: Path) -> None:
    own = read_own_log(csv(tmp_path / "log.csv", model=["a", "b", "c", "d"]))
    assert len(own.run.log) == 4


@pytest.mark.parametrize("column", WANTED)
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    with pytest.raises(InputError, match=rf"log.csv: column '{column}' is missing; wanted are"):
        read_own_log(csv(tmp_path / "log.csv", **{column: []}))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"done": [3, "x", 4, 5]}, "column 'done': numbers are wanted, not 'x' as in row 2"),
        ({"done": [3, "", 4, 5]}, "column 'done', row 2: a value is missing"),
        ({"done": [3, "inf", 4, 5]}, "column 'done', row 2: a finite number is wanted"),
        ({"done": [3, 1.75, 4, 0.8]}, "column 'done', row 4: it lies before 'routed'"),
        ({"routed": [1, 0.2, 2, 2.5]}, "column 'routed', row 2: it lies before 'arrival'"),
        ({"decode_worker": [0, -1, 0, 1]}, "column 'decode_worker', row 2: it is negative"),
        ({"decode_worker": [0, 0.5, 0, 1]}, r"row 2: a whole number is wanted \(got 0.5\)"),
        ({"decode_worker": [0, 20000, 0, 1]}, "20001 workers; allowed: 10000"),
        ({"decode_active_0": [0, 0, 0, 0]}, "'decode_active' has 1 workers.*has 2"),
    ],
)
def test_a_fault_names_the_column_and_the_row(
    tmp_path: Path, changes: dict[str, list[object]], fault: str
) -> None:
    with pytest.raises(InputError, match=fault):
        read_own_log(csv(tmp_path / "log.csv", **changes))


def test_no_file_and_no_log_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_own_log(tmp_path / "log.csv")
    (tmp_path / "log.parquet").write_text("nothing")
    with pytest.raises(InputError, match="no Parquet that can be read"):
        read_own_log(tmp_path / "log.parquet")
    (tmp_path / "log.csv").write_text(",".join(ROWS) + "\n")
    with pytest.raises(InputError, match=r"no request|numbers are wanted"):
        read_own_log(tmp_path / "log.csv")
    pq.write_table(pa.table(ROWS | {"decode_cost": [["a", "b"]] * 4}), tmp_path / "lists.parquet")
    with pytest.raises(InputError, match="column 'decode_cost': lists of one number a worker"):
        read_own_log(tmp_path / "lists.parquet")


def test_an_estimator_that_needs_a_missing_column_is_refused(tmp_path: Path) -> None:
    own = read_own_log(csv(tmp_path / "log.csv"))
    own.check("mine", Estimator(entry="observed-e2e"))
    with pytest.raises(InputError, match=r"'prefill_start' is missing, which entry 'ttft'"):
        own.check("mine", Estimator(entry="ttft"))
