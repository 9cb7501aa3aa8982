"""`python -m anarchy.serving.compiled` compiles the kernel, so that the jobs of a build find it."""

import sys

from anarchy.serving.compiled.core.cache import CACHE
from anarchy.serving.compiled.core.compile import compile_all


def main() -> None:
    """Compile, unless the result could not be kept."""
    if CACHE is None:
        print("the compiled simulator cannot be kept: no folder is writable", file=sys.stderr)
        return
    compile_all(lambda text: print(text, file=sys.stderr))


if __name__ == "__main__":
    main()
