"""`python -m anarchy` is the `anarchy` command."""

import sys

from anarchy.cli.main import main

sys.exit(main())
