#!/usr/bin/env bash
# Prometheus 3, without its service discoveries, as a Go module: built by Go 1.26 or later.
#   prometheus.sh install            about 4 minutes on 2 cores
#   prometheus.sh installed          print where it is
set -euo pipefail
# shellcheck source=tests/soak/servers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

version=v0.316.0 # of the module; the program calls itself 3.16.0

case ${1-} in
  install)
    GOFLAGS="${GOFLAGS-} -tags=remove_all_sd" go_install "github.com/prometheus/prometheus/cmd/prometheus@$version"
    ;;
  installed)
    installed prometheus
    echo "$folder/prometheus"
    ;;
  *)
    usage "prometheus.sh install | installed"
    ;;
esac
