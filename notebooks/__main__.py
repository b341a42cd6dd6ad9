"""``python -m notebooks``: serve the gallery and all rooms on this machine."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # Before numpy and torch load: experiments of several visitors share the cores, and libraries whose threads wait
    # for each other take three times as long as one thread each.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

    from notebooks._app.server import main

    sys.exit(main())
