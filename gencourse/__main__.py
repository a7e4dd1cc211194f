"""`python -m gencourse`: the same as the command `gencourse`; in a notebook `%run -m gencourse`."""

import sys

from gencourse.cli import main
from gencourse.support.output import in_ipython

status = main()
if not in_ipython():  # there SystemExit would be shown as an error, below the words that say what is wrong
    sys.exit(status)
