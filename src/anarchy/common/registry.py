"""Things that a configuration names: one registry for each kind of them.

A kind is, for example, that of the router policies. A name belongs to one thing of its kind;
inside `restored` users' files may add things of their own, which are forgotten afterwards.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from anarchy.common.errors import InputError, suggest

T = TypeVar("T")

_REGISTRIES: list["Registry[Any]"] = []


class Registry(Mapping[str, T]):
    """The things of one kind by name, in order of registration."""

    def __init__(self, kind: str) -> None:
        """`kind` is what messages call one of them, as in "router policy"."""
        self.kind = kind
        self._things: dict[str, T] = {}
        _REGISTRIES.append(self)

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that makes a thing known under `name`; a name that is taken is refused."""

        def add(thing: T) -> T:
            if name in self._things:
                raise InputError(f"{self.kind} '{name}' is registered already; choose another name")
            self._things[name] = thing
            return thing

        return add

    def find(self, name: str, source: str) -> T:
        """What is registered under `name`, which stands in `source`; others are refused."""
        if name not in self._things:
            raise InputError(f"{source}: unknown {self.kind} '{name}'; {suggest(name, self)}")
        return self._things[name]

    def __getitem__(self, name: str) -> T:
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)


@contextmanager
def restored() -> Iterator[None]:
    """Forget on leaving what was registered within, of every kind."""
    before = [(registry, dict(registry)) for registry in _REGISTRIES]
    try:
        yield
    finally:
        for registry, things in before:
            registry._things = things
