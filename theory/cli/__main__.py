"""``python -m theory.cli`` is the command ``theory``."""

import sys

from theory.cli import main

sys.exit(main())
