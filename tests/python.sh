#!/usr/bin/env bash
# Print the first interpreter on PATH that the project supports; a name that is only a launcher without a version is skipped.
for python in "${PYTHON:-}" python3.11 python3.12 python3.13 python3 python; do
  [ -n "$python" ] || continue
  if "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then
    command -v "$python"
    exit 0
  fi
done
echo "Theorem Bench needs Python 3.11, 3.12 or 3.13 on PATH (or PYTHON=/path/to/python)." >&2
exit 1
