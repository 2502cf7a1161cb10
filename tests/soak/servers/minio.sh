#!/usr/bin/env bash
# MinIO, as the Go module of its last commit: built by Go 1.24 or later, run on loopback in the foreground.
#   minio.sh install                      about 6 minutes on 2 cores
#   minio.sh run FOLDER PORT [DRIVES]     one node with 1 drive (or more) in this folder
#   minio.sh node PORT FOLDER PORT...     the node at the first port of a cluster of nodes at these ports
# Keys: mpu-tests, mpu-tests-secret; region us-east-1. It ends on SIGTERM, and the folder keeps the data.
set -euo pipefail
# shellcheck source=tests/soak/servers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

version=v0.0.0-20260212201848-7aac2a2c5b7c
export MINIO_ROOT_USER=$ACCESS_KEY MINIO_ROOT_PASSWORD=$SECRET_KEY
export MINIO_BROWSER=off MINIO_UPDATE=off
export MINIO_CI_CD=1 # the drives may lie on the root file system

serve() { # PORT DRIVE...
  installed minio
  exec "$folder/minio" server --quiet --address "127.0.0.1:$1" "${@:2}"
}

case ${1-} in
  install)
    go_install "github.com/minio/minio@$version"
    ;;
  installed)
    installed minio
    ;;
  run)
    drives=()
    for ((number = 1; number <= ${4:-1}; number++)); do drives+=("$2/drive$number"); done
    mkdir -p "${drives[@]}"
    serve "$3" "${drives[@]}"
    ;;
  node)
    drives=()
    for port in "${@:4}"; do drives+=("http://127.0.0.1:$port$3/node$port"); done
    mkdir -p "$3/node$2"
    serve "$2" "${drives[@]}"
    ;;
  *)
    usage "minio.sh install | run FOLDER PORT [DRIVES] | node PORT FOLDER PORT..."
    ;;
esac
