"""Scripts are no package: their folder is put on the path, as when one is run.

Triton's kernels run in its interpreter, on a CPU; Triton asks for that when it is imported.
"""

import os
import sys

from anarchy.common import paths

sys.path.insert(0, str(paths.ROOT / "scripts"))
os.environ["TRITON_INTERPRET"] = "1"
