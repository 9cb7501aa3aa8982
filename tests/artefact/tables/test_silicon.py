"""The table of the models on measured hardware."""

from anarchy.artefact.tables.silicon import silicon_table
from anarchy.common import paths
from anarchy.common.files import Row
from anarchy.config.silicon import Silicon
from anarchy.config.validation import validate
from anarchy.config.yaml_files import read_yaml

SILICON = validate(
    Silicon,
    read_yaml(paths.ROOT / paths.SILICON)
    | {
        "tables": [
            {"gpu": "H200", "times": "measured", "all_reduce": [0.0, 8e-6]},
            {"gpu": "B200", "times": "trtllm"},
        ]
    },
    "silicon.yaml",
)


def rows() -> list[Row]:
    """The 340B at 200 clients, the 70B at 100, one more without caching."""
    found: list[Row] = []
    for scenario in SILICON.scenarios:
        clients = 200.0 if scenario.startswith("340b") else 100.0
        for table in SILICON.tables:
            for all_reduce in table.all_reduce:
                for batch in SILICON.batch_requests:
                    for caching in SILICON.caching:
                        keys = {"scenario": scenario, "gpu": table.gpu, "times": table.times}
                        kind = "measured" if table.times == "measured" else "estimated"
                        keys |= {"provenance": kind}
                        bound = float("inf") if batch > 1 and caching else clients + (not caching)
                        values = {
                            "prefill": 0.01,
                            "prefill-used": 0.009,
                            "itl": 0.008,
                            "ratio": 1.2 if all_reduce else 1.1,
                            "operational-bound": bound,
                            "knee": 102,
                            "output-least": 90 if batch == 1 else None,
                            "output-most": 130 if batch == 1 else None,
                        }
                        settings = {"all_reduce": all_reduce, "batch": batch, "caching": caching}
                        found += [
                            {**keys, **settings, "id": name, "value": value, "lo": 101, "hi": 103}
                            for name, value in values.items()
                        ]
    return found


def test_a_line_has_one_model_with_one_table() -> None:
    table = silicon_table(SILICON, rows())
    lines = [
        [cell.strip().rstrip(" \\") for cell in line.split(" & ")]
        for line in table.split("\n")
        if line.startswith(("70B", "340B", "H200", "B200"))
    ]
    assert [line[0] for line in lines] == [
        *("70B", "H200 measured", "H200 measured", "B200 estimated"),
        *("340B", "H200 measured", "H200 measured", "B200 estimated"),
    ]
    assert lines[2] == [
        *("H200 measured", "8", "10.00", "9.00", "8.00", "1.200"),
        *("100.0", "101.0", r"\ensuremath{\infty}", "101.0", "101--103", "90--130"),
    ]
    assert lines[6][6] == "200.0"
    assert "(96, 128]" in table
