#!/usr/bin/env bash
# Garage, one node with an SQLite index, as a crate: built by Rust 1.91 or later, run on loopback in the foreground.
#   garage.sh install            about 10 minutes on 2 cores
#   garage.sh run FOLDER PORT
# Keys: those below; region garage. It ends on SIGTERM, and the folder keeps the data.
set -euo pipefail
# shellcheck source=tests/soak/servers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

version=2.5.0
export GARAGE_DEFAULT_ACCESS_KEY=GK00000000000000000000cafe # of its own form, which others are refused by
export GARAGE_DEFAULT_SECRET_KEY=000000000000000000000000000000000000000000000000000000000000cafe

install() {
  needs cargo "Rust's toolchain builds it"
  # without optimisations: half the time, and fast enough
  CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 cargo install --quiet --locked --debug "garage@$version" \
    --no-default-features --features bundled-libs,sqlite --root "$folder/garage"
}

run() { # FOLDER PORT
  installed garage/bin/garage
  mkdir -p "$1"
  # nodes speak by the next port; there is one only
  cat >"$1/garage.toml" <<CONF
metadata_dir = "$1/meta"
data_dir = "$1/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:$(($2 + 1))"
rpc_public_addr = "127.0.0.1:$(($2 + 1))"
rpc_secret = "0000000000000000000000000000000000000000000000000000000000000000"
[s3_api]
api_bind_addr = "127.0.0.1:$2"
s3_region = "garage"
CONF
  exec "$folder/garage/bin/garage" -c "$1/garage.toml" server --single-node --default-access-key
}

case ${1-} in
  install | run) "$@" ;;
  installed) installed garage/bin/garage ;;
  *) usage "garage.sh install | run FOLDER PORT" ;;
esac
