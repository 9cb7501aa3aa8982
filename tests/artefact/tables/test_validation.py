"""The table of the validation suite."""

from anarchy.artefact.tables.validation import validation_table
from anarchy.measure.intervals import Interval
from anarchy.measure.validation.checks import Row, exact_check, input_check, interval_check, judge
from tests.artefact.conftest import body


def rows() -> list[Row]:
    def mean(load: float, value: float, p: float) -> Row:
        found = Interval(value, value - 0.05, value + 0.05, 60)
        name = f"mm1-{load}"
        return interval_check(name, "mm1", "M/M/1", "mean sojourn", 2.0, found, p, 0.01, load)

    return judge(
        [
            mean(0.5, 2.01, 0.7) | {"plain": 0.1},
            mean(0.9, 2.9, 1e-9) | {"plain": 0.2},
            input_check("a", "mm1", "M/M/1", "laws", 0.5, 10),
            exact_check("b", "knees", "one, 3 tokens", "knee", 10.0, 10.0, 0.05),
            exact_check("c", "knees", "two, 3 tokens", "knee", 10.0, 12.0, 0.05),
        ]
    )


def test_what_the_table_says() -> None:
    dash = ["--"] * 6
    assert body(validation_table(rows())) == [
        ["M/M/1", "mean sojourn", "0.5", "2", "2.01", "2.5", "10", "yes", "yes"],
        ["M/M/1", "mean sojourn", "0.9", "2", "2.9", "2.5", "20", "no", "no"],
        ["M/M/1", "laws", *dash, "1 of 1"],
        ["2 systems", "knee", *dash, "1 of 2"],
    ]
