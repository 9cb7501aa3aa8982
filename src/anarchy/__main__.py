"""`python -m anarchy` is the `anarchy` command."""

import sys

from anarchy.cli import main

sys.exit(main())
