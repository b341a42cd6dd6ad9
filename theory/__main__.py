"""``python -m theory`` is the command ``theory``."""

import sys

from theory.cli.commands import main

if __name__ == "__main__":
    sys.exit(main())
