"""``python -m notebooks``: serve the gallery and all rooms on this machine."""

from __future__ import annotations

import sys

from notebooks._app.server import main

if __name__ == "__main__":
    sys.exit(main())
