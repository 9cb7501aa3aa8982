"""Which cells are measured."""

import pytest

from shard import grid
from shard.grid import Cell
from shard.steps import Step
from tests.scripts import measured


def cells(kind: str) -> list[Cell]:
    return [cell for cell in grid.full() if cell.kind == kind]


def test_the_full_grid_has_all_decode_steps_that_were_measured() -> None:
    wanted = {
        ("decode", batch, context)
        for context, largest in measured.LARGEST_BATCH.items()
        for batch in measured.BATCHES
        if batch <= largest
    }
    assert len(wanted) == 98
    assert wanted <= {cell.name for cell in cells("decode")}
    assert {cell.replays for cell in cells("decode")} == {30}


def test_the_full_grid_has_the_prefills_that_were_measured_in_their_order() -> None:
    steps = [cell.step for cell in cells("prefill")]
    replays = [cell.replays for cell in cells("prefill")]
    found = [
        (step.prompts, step.tokens, step.cached, n) for step, n in zip(steps, replays, strict=True)
    ]
    assert found == measured.PREFILLS


def test_jitter_is_that_of_a_decode_step_and_of_a_prompt() -> None:
    keys = [cell.keys for cell in cells("jitter")]
    assert keys == [{"batch": 64, "tokens": 1}, {"batch": 1, "tokens": 128}]
    assert [cell.step for cell in cells("jitter")] == [Step(64, 1, 255), Step(1, 128, 0)]
    assert {cell.replays for cell in cells("jitter")} == {600}


def test_a_decode_step_is_one_token_that_completes_its_context() -> None:
    for cell in cells("decode"):
        assert cell.step == Step(cell.keys["batch"], 1, cell.keys["context"] - 1)


@pytest.mark.parametrize("name", grid.GRIDS)
def test_no_cell_is_there_twice(name: str) -> None:
    names = [cell.name for cell in grid.GRIDS[name]()]
    assert len(names) == len(set(names))


def test_the_quick_grid_is_part_of_the_full_one() -> None:
    """So that a full run goes on where a quick one ended."""
    assert set(grid.quick()) < set(grid.full())
    assert {cell.kind for cell in grid.quick()} == set(grid.KEYS)
