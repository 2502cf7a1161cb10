#!/usr/bin/env bash
# Versity S3 Gateway on a folder, as a Go module: built by Go 1.25 or later, run on loopback in the foreground.
#   versitygw.sh install            about 2 minutes on 2 cores
#   versitygw.sh run FOLDER PORT
# Keys: mpu-tests, mpu-tests-secret; region us-east-1. It ends on SIGTERM, and the folder keeps the data.
set -euo pipefail
# shellcheck source=tests/soak/servers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

version=v1.8.0

case ${1-} in
  install)
    go_install "github.com/versity/versitygw/cmd/versitygw@$version"
    ;;
  installed)
    installed versitygw
    ;;
  run)
    installed versitygw
    mkdir -p "$2/data" "$2/attributes" # in a folder of their own: /tmp may know no extended attributes
    exec "$folder/versitygw" --port "127.0.0.1:$3" --access "$ACCESS_KEY" --secret "$SECRET_KEY" \
      --keep-alive --quiet posix --sidecar "$2/attributes" "$2/data"
    ;;
  *)
    usage "versitygw.sh install | run FOLDER PORT"
    ;;
esac
