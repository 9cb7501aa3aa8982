"""Which cells are measured."""

import pytest
from shard import grid
from shard.grid import Cell
from shard.steps import Step

from tests.scripts.committed import SHARDS


def cells(kind: str) -> list[Cell]:
    return [cell for cell in grid.full() if cell.kind == kind]


@pytest.mark.parametrize("stem", SHARDS)
def test_the_full_grid_has_every_committed_cell(stem: str) -> None:
    shard = SHARDS[stem]
    replays = {cell.name: cell.replays for cell in grid.full()}
    found = {("decode", c.batch, c.context): c.n for c in shard.decode}
    found |= {("prefill", c.prompts, c.tokens, c.cached): c.n for c in shard.prefill}
    found |= {("jitter", c.batch, c.tokens): c.n for c in shard.jitter}
    assert len(found) > 120
    assert found.items() <= replays.items()


def test_the_full_grid_has_little_that_an_h200_has_not_measured() -> None:
    """Six decode steps of long contexts, which do not fit."""
    shard = SHARDS["llama31-70b-fp8-tp4-h200"]
    assert len(cells("decode")) == len(shard.decode) + 6
    assert len(cells("prefill")) == len(shard.prefill)


def test_cells_have_the_order_of_the_committed_files() -> None:
    shard = SHARDS["llama31-70b-fp8-tp4-h200"]
    order = [cell.name for cell in cells("prefill")]
    assert order == [("prefill", c.prompts, c.tokens, c.cached) for c in shard.prefill]
    decode = [("decode", c.batch, c.context) for c in shard.decode]
    assert [c.name for c in cells("decode") if c.name in set(decode)] == decode


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
