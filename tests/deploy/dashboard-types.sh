#!/usr/bin/env bash
# Checks the dashboards against Grafana's own types, @grafana/schema, by TypeScript: unknown keys and wrong values alike.
# Not part of the test run, because it needs npm and a registry; test_dashboards_types.py finds the unknown keys without.
#
#   tests/deploy/dashboard-types.sh
#
# SCRATCH in the environment is where npm installs; the default is a temporary folder, removed at the end.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=${SCRATCH:-$(mktemp -d)}
[ -n "${SCRATCH:-}" ] || trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"
cd "$scratch"

[ -d node_modules/@grafana/schema ] || npm install --no-audit --no-fund --silent --prefix . @grafana/schema@13 typescript@7

cat >write.mjs <<'JS'
import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";

const raw = "@grafana/schema/dist/esm/raw";
const kinds = { stat: "Stat", timeseries: "TimeSeries", table: "Table", heatmap: "Heatmap" };
// JSON has the values of enums rather than their names
const lines = [
  `import type { Dashboard, Panel, RowPanel } from "${raw}/dashboard/x/Dashboard_types.gen";`,
  ...Object.entries(kinds).map(
    ([kind, name]) => `import type * as ${kind} from "${raw}/composable/${kind}/panelcfg/x/${name}PanelCfg_types.gen";`,
  ),
  "type Plain<T> = T extends string ? `${T}` : T extends number ? number : T extends boolean | null | undefined ? T",
  "  : T extends Array<infer U> ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;",
];
let count = 0;
const check = (type, value) => {
  count += 1;
  lines.push(`export const v${count}: Plain<${type}> = ${JSON.stringify(value, null, 1)};`);
};
// a panel's link has only a title, an URL and targetBlank in what Grafana writes, all of a dashboard's link in its types
const link = { type: "link", icon: "", tooltip: "", tags: [], asDropdown: false, includeVars: false, keepTime: false };
const whole = (panel) => ({ ...panel, links: (panel.links ?? []).map((each) => ({ targetBlank: false, ...link, ...each })) });
for (const file of process.argv.slice(2)) {
  lines.push(`// ${basename(file)}`);
  const { panels, ...board } = JSON.parse(readFileSync(file, "utf8"));
  check("Dashboard", board);
  // the panels of a row that is shut stand within it
  for (const panel of panels.flatMap((each) => [each, ...(each.panels ?? [])])) {
    if (panel.type === "row") {
      check("RowPanel", { ...panel, panels: panel.panels.map(whole) });
      continue;
    }
    check("Panel", whole(panel));
    check(`${panel.type}.Options`, panel.options);
    const { defaults, overrides } = panel.fieldConfig;
    if (defaults.custom) check(`${panel.type}.FieldConfig`, defaults.custom);
    for (const { id, value } of overrides.flatMap((each) => each.properties)) {
      const [, custom] = id.split("custom.");
      if (custom) check(`${panel.type}.FieldConfig["${custom}"]`, value);
    }
  }
}
writeFileSync("dashboards.ts", lines.join("\n"));
console.log(`${count} values`);
JS
node write.mjs "$root"/helm/mpu-exporter/files/dashboards/*.json
npx tsc --noEmit --strict --skipLibCheck --moduleResolution bundler --module esnext --target es2022 dashboards.ts
echo "types: nothing unknown, nothing wrong"
