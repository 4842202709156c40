"""`python -m parley`: the same as the command `parley`."""

import sys

from parley.command import main

sys.exit(main())
