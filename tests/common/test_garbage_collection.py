"""When Python looks for cyclic garbage."""

import gc
import subprocess
import sys

from anarchy.common.garbage_collection import gc_paused


def test_a_pause_ends_as_it_began() -> None:
    assert gc.isenabled()
    with gc_paused():
        assert not gc.isenabled()
        with gc_paused():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_rarely_is_not_never() -> None:
    code = (
        "import gc, weakref\n"
        "from anarchy.common.garbage_collection import collect_rarely\n"
        "class Knot: pass\n"
        "collect_rarely()\n"
        "knot = Knot(); knot.itself = knot; seen = weakref.ref(knot); del knot\n"
        "kept = [[] for _ in range(10_000)]\n"
        "assert seen() is not None\n"
        "kept += [[] for _ in range(200_000)]\n"
        "assert seen() is None\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
