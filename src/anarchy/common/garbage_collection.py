"""Running with the collector of cyclic garbage away, or called more rarely."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Leave cyclic garbage alone within the context, where next to none is made.

    Tracing millions of live objects takes a quarter of a run, and a fifth of compiling the kernel.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def collect_rarely() -> None:
    """From now on look for cyclic garbage after 100,000 new objects; Python begins with 700.

    To import a library and to draw a figure makes many objects that last, and looking through them
    time and again takes up to a quarter of the figure.
    """
    gc.set_threshold(100_000)
