#!/usr/bin/env bash
# pytest-cov measures tests that are marked no_cover, once pytest-xdist runs them.
#
# Seen with pytest-cov 7.1.0, pytest-xdist 3.8.0 and coverage 7.17.5 on Python 3.11. One would expect the marker to switch coverage off for the
# test, as it does in one process, and so its cost. A worker starts a measurement of its own beside that of its command line; the marker
# stops the one, and the other goes on. What it sees is thrown away at the end, so the report does not show it:
#
#   one process: no tracer
#   a worker: CTracer
#
# So the marker saves no time with -n: a test here that computes took 15 s of CPU instead of 6. tests/conftest.py stops the first measurement.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check coverage==7.17.5 execnet==2.1.2 iniconfig==2.3.1 packaging==26.4 \
  pluggy==1.7.0 pygments==2.21.0 pytest==9.2.0 pytest-cov==7.1.0 pytest-xdist==3.8.0

cat >"$folder/expected" <<'EXPECTED'
one process: no tracer
a worker: CTracer
EXPECTED

cat >"$folder/test_look.py" <<'LOOK'
import os
import sys
from pathlib import Path

import pytest


@pytest.mark.no_cover
def test_what_traces_it():
    tracer = sys.gettrace()
    where = "a worker" if "PYTEST_XDIST_WORKER" in os.environ else "one process"
    with Path("seen").open("a") as file:
        file.write(f"{where}: {type(tracer).__name__ if tracer else 'no tracer'}\n")
LOOK

cd "$folder"
for processes in 0 1; do
  venv/bin/pytest --quiet --cov --cov-report= --numprocesses=$processes test_look.py >log 2>&1 || { cat log && exit 1; }
done
cat seen
diff expected seen >&2 || {
  echo "pytest-cov no longer behaves as described above" >&2
  exit 1
}
