#!/usr/bin/env bash
# Checks what the chart writes for the Prometheus operator and the Gateway API against their own types: every set of values in
# ci/, by @kubernetes-models/prometheus-operator and gateway-api. Their validate() finds wrong values and missing fields,
# TypeScript unknown keys. There is no such package for PodMonitoring and VerticalPodAutoscaler. Not part of the test run,
# because it needs npm and a registry; test_operator_kinds.py and test_custom_kinds.py check the same without.
#
#   tests/deploy/operator-types.sh
#
# Environment, all optional:
#   PYTHON   a Python with the project's test extra; the default is .venv/bin/python
#   SCRATCH  where npm installs; the default is a temporary folder, removed at the end
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
scratch=${SCRATCH:-$(mktemp -d)}
[ -n "${SCRATCH:-}" ] || trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"
cd "$scratch"

[ -d node_modules/@kubernetes-models/gateway-api ] || npm install --no-audit --no-fund --silent --prefix . \
  @kubernetes-models/prometheus-operator@6 @kubernetes-models/gateway-api@2 typescript@7

PYTHONPATH=$root/tests/deploy "$python" - >documents.json <<'PYTHON'
import json
from charts import VALUE_SETS, render
from operator_kinds import is_operators
found = [{"set": f.stem, **d} for f in VALUE_SETS for d in render(f) if is_operators(d) or d["kind"] == "HTTPRoute"]
print(json.dumps(found))
PYTHON

cat >validate.mjs <<'JS'
import { readFileSync, writeFileSync } from "node:fs";
import * as operator from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import * as gateway from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";

const documents = JSON.parse(readFileSync("documents.json", "utf8"));
const lines = [
  'import type * as operator from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";',
  'import type * as gateway from "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1";',
];
let faults = 0;
documents.forEach(({ set, ...document }, number) => {
  try {
    new { ...operator, ...gateway }[document.kind](document).validate();
  } catch (error) {
    faults += 1;
    console.error(`${set}: ${document.kind}: ${error.message}`);
  }
  lines.push(`// ${set}`, `export const d${number}: ${document.kind in operator ? "operator" : "gateway"}.I${document.kind} = ${JSON.stringify(document, null, 1)};`);
});
writeFileSync("documents.ts", lines.join("\n"));
console.log(`validate(): ${documents.length} objects, ${faults} faults`);
process.exit(faults && 1);
JS
node validate.mjs
npx tsc --noEmit --strict --skipLibCheck --moduleResolution bundler --module esnext --target es2022 documents.ts
echo "types: no unknown key"
