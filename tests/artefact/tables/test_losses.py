"""The table of where something is lost."""

from anarchy.artefact.tables.losses import losses_table
from tests.artefact.conftest import make_experiment


def test_each_experiment_has_a_line_with_its_bracket_and_where_it_is() -> None:
    experiment = make_experiment(sweep={"workload.clients": [64], "workload.templates": [5]})
    row = {"id": "x:e2e-mean", "experiment": "x", "measure": "e2e-mean", "lo": 2.104, "hi": 3.0}
    row |= {"scenario": "70b-1p2d", "workload.clients": 64, "workload.templates": 5}
    row |= {"points": 7, "tenth": 3, "double": 2, "fivefold": 0, "nothing": 1}
    table = losses_table({"x": experiment}, [row, {**row, "measure": "ttft-mean", "lo": 9.0}])
    line = next(line for line in table.splitlines() if "2.10 to 3.00" in line)
    assert "templates = 5" in line
    assert "70B 1P/2D" in line
    assert [cell.strip(" \\") for cell in line.split("&")[4:]] == ["7", "3", "2", "0", "1"]
    assert "9.00" not in table
