#!/usr/bin/env bash
# Has checkov look at what the chart renders; every finding has to have a reason in checkov_reasons.py, and every reason a
# finding. Not part of the test run, because checkov takes 40 s and 300 MB to install.
#
#   tests/deploy/checkov.sh
#
# Environment, all optional:
#   PYTHON   a Python with the project's test extra; the default is .venv/bin/python
#   SCRATCH  where checkov is installed; the default is a temporary folder, removed at the end
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
scratch=${SCRATCH:-$(mktemp -d)}
[ -n "${SCRATCH:-}" ] || trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"

checkov=$scratch/checkov/bin/checkov
[ -x "$checkov" ] || { python3 -m venv "$scratch/checkov" && "$scratch/checkov/bin/pip" install --quiet 'checkov>=3.3,<4'; }

"$python" "$root/tests/deploy/checkov_reasons.py" write "$scratch"
for set in "$scratch"/*.yaml; do
  "$checkov" --file "$set" --framework kubernetes --skip-download --compact --output json >"${set%.yaml}.json" || true
done
"$python" "$root/tests/deploy/checkov_reasons.py" read "$scratch"
