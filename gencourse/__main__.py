"""`python -m gencourse`: the same as the command `gencourse`."""

import sys

from gencourse.cli import main

sys.exit(main())
