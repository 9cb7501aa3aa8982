"""What a shard weighs, from its shape."""

from dataclasses import asdict

import pytest
from shard.shapes import MODELS, tiny

from tests.scripts.committed import SHARDS, model_of

PUBLISHED = {
    "llama31-70b-fp8-tp4": 70.6e9,
    "nemotron4-340b-fp8-tp8": 341e9,
    "llama31-8b-fp8-tp1": 8.03e9,
}
"""Parameters of the whole models, as their authors round them."""


MEASURED = {
    "llama31-70b-fp8-tp4": (17.378050048, 81920),
    "nemotron4-340b-fp8-tp8": (42.045014016, 73728),
    "llama31-8b-fp8-tp1": (7.50518272, 131072),
}
"""Gigabytes of weights and bytes of KV cache a token, of the shards that were measured."""


@pytest.mark.parametrize("stem", SHARDS)
def test_the_committed_shards_can_be_measured_again(stem: str) -> None:
    ours, theirs = MODELS[model_of(stem)], SHARDS[stem]
    assert ours.name == theirs.model
    assert asdict(ours.shape) == theirs.shape.model_dump()
    assert ours.shape.kv_bytes_per_token == theirs.kv_bytes_per_token
    assert ours.shape.weight_bytes / 1e9 == pytest.approx(theirs.weights_gb, abs=1e-4)


@pytest.mark.parametrize("stem", MODELS)
def test_the_shards_of_a_model_have_its_published_parameters(stem: str) -> None:
    assert MODELS[stem].shape.model_parameters == pytest.approx(PUBLISHED[stem], rel=1e-3)


@pytest.mark.parametrize("stem", MODELS)
def test_bytes_are_those_of_the_measured_shards(stem: str) -> None:
    shape = MODELS[stem].shape
    assert (shape.weight_bytes / 1e9, shape.kv_bytes_per_token) == MEASURED[stem]


def test_a_layer_of_the_70b_by_hand() -> None:
    assert MODELS["llama31-70b-fp8-tp4"].shape.matrices == {
        "qkv": (2560, 8192),
        "out": (8192, 2048),
        "up": (14336, 8192),
        "down": (8192, 7168),
    }


@pytest.mark.parametrize("stem", MODELS)
def test_cublas_takes_all_matrices(stem: str) -> None:
    """Its FP8 products want both sides to be multiples of 16."""
    for shape in (MODELS[stem].shape, tiny(MODELS[stem]).shape):
        sides = [side for sides in shape.matrices.values() for side in sides]
        assert [side % 16 for side in [*sides, shape.vocab]] == [0] * 9


@pytest.mark.parametrize("stem", MODELS)
def test_the_tiny_model_does_what_the_large_one_does(stem: str) -> None:
    large, small = MODELS[stem], tiny(MODELS[stem])
    assert small.shape.gated == large.shape.gated
    assert small.centred == large.centred
    assert small.rotary / small.shape.hd == large.rotary / large.shape.hd
    assert small.shape.weight_bytes < 1e6
