"""Decisions are read whole, pool by pool, from a log that may be cut anywhere."""

import pytest

from anarchy.live.measuring.router_log import Decision, read_decisions
from anarchy.live.processes import LiveError
from tests.live.measuring.stub_frontend import formula, selected

PREFILL, DECODE = (7,), (11, 22)

LOG = [
    *(formula(22, 24.0), formula(11, 16.0), selected(11, 16.0)),
    formula(11, 24.0),
    *(formula(7, 8.0, weight=1.0), selected(7, 8.0)),  # the other pool comes in between
    *("WARN something else\n", formula(22, 24.0)),
    selected(22, 24.0),
]


def test_decisions_of_each_pool() -> None:
    assert list(read_decisions(LOG, DECODE)) == [
        Decision((16.0, 24.0), 0.0, 0),
        Decision((24.0, 24.0), 0.0, 1),
    ]
    assert list(read_decisions(LOG, PREFILL)) == [Decision((8.0,), 1.0, 0)]


def test_the_colours_of_a_terminal_do_not_matter() -> None:
    coloured = [f"\x1b[2m{line.rstrip()}\x1b[0m\n".replace("=", "\x1b[0m=\x1b[1m") for line in LOG]
    assert list(read_decisions(coloured, DECODE)) == list(read_decisions(LOG, DECODE))


@pytest.mark.parametrize("cut", range(1, len(LOG)))
def test_a_cut_log_loses_the_cut_decision_only(cut: int) -> None:
    whole = list(read_decisions(LOG, DECODE))
    assert list(read_decisions(LOG[:cut], DECODE)) == whole[: (cut >= 3) + (cut >= len(LOG))]
    assert list(read_decisions(LOG[cut:], DECODE)) == (whole[1:] if cut <= 3 else [])


def test_a_decision_without_all_workers_is_refused() -> None:
    with pytest.raises(LiveError, match="costs of 1 of 2 workers"):
        list(read_decisions([*LOG[:3], *LOG[1:3]], DECODE))
