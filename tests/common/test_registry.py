"""Registries: found by name, taken once, forgotten when the context is left."""

import pytest

from anarchy.common.errors import InputError
from anarchy.common.registry import Registry, restored
from anarchy.serving.reference.core.clients import WORKLOADS
from anarchy.serving.reference.router.policy import POLICIES
from anarchy.workload.lengths import LAWS


def colours() -> Registry[int]:
    registry: Registry[int] = Registry("colour")
    registry.register("red")(1)
    registry.register("blue")(2)
    return registry


def test_things_are_found_by_name_in_order_of_registration() -> None:
    registry = colours()
    assert registry.find("red", "here") == registry["red"] == 1
    assert list(registry.items()) == [("red", 1), ("blue", 2)]


def test_an_unknown_name_is_refused_with_its_place_and_the_nearest() -> None:
    with pytest.raises(InputError, match=r"^x.yaml: unknown colour 'rad'; did you mean 'red'"):
        colours().find("rad", "x.yaml")


def test_a_name_is_taken_once() -> None:
    registry = colours()
    with pytest.raises(InputError, match=r"^colour 'red' is registered already"):
        registry.register("red")(3)
    assert registry["red"] == 1


def test_every_kind_is_restored_even_after_a_failure() -> None:
    registries: list[Registry[type]] = [POLICIES, WORKLOADS, LAWS]  # type: ignore[list-item]
    before = [dict(registry) for registry in registries]
    with pytest.raises(RuntimeError), restored():  # noqa: PT012  (it must fail inside)
        for registry in registries:
            registry.register("passing")(int)
            assert "passing" in registry
        raise RuntimeError
    assert [dict(registry) for registry in registries] == before
