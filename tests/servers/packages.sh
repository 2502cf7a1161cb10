#!/usr/bin/env bash
# Install the Debian packages whose servers the tests run. Starts no service; says nothing when all is there.
# Arguments are further needs: COMMAND_OR_FILE=PACKAGE.
# Exit codes: 1 they cannot be installed here, 75 another package manager was still at work after LOCK_WAIT seconds (600).
set -euo pipefail

packages=()
needs() { # COMMAND PACKAGE: the package, unless the command, or a file of that path, is there
  [[ $1 == /* && -e $1 ]] || PATH=$PATH:/usr/sbin command -v "$1" >/dev/null || packages+=("$2")
}

needs ceph-mon ceph-mon
needs ceph-osd ceph-osd
needs radosgw radosgw
needs ceph ceph-common
needs prometheus prometheus
needs prometheus-alertmanager prometheus-alertmanager
needs prometheus-node-exporter prometheus-node-exporter
needs systemd-analyze systemd
needs chromium chromium
needs chromedriver chromium-driver
needs curl curl
needs aws awscli
needs zsh zsh
needs busybox busybox
needs mmdebstrap mmdebstrap
needs podman podman
needs runc runc               # what runs podman's containers,
needs catatonit catatonit     # and what holds its pods,
needs slirp4netns slirp4netns # and what publishes their ports
for need in "$@"; do needs "${need%%=*}" "${need#*=}"; done
"${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
((${#packages[@]})) || exit 0

install="apt-get install --no-install-recommends ${packages[*]}"
if ((EUID)) || ! command -v apt-get >/dev/null; then
  echo "The tests on real servers need packages of Debian 12 or later. As root: $install" >&2
  exit 1
fi

log=$(mktemp)
policy=/usr/sbin/policy-rc.d # while it says 101, a package cannot start its service
if [[ -e $policy ]]; then
  trap 'rm -f "$log"' EXIT
else
  trap 'rm -f "$log" "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi

# `apt-get update` has no option that waits for the lock of the lists, so both commands are tried until it is free.
unlocked() { # COMMAND…
  local told='' lines
  until "$@" >"$log" 2>&1; do
    if ! grep -qE 'Could not get lock|Unable to lock' "$log"; then
      tail -n 30 "$log" >&2
      exit 1
    fi
    lines=$(grep -E 'lock' "$log")
    [[ $told ]] || printf 'waiting up to %s s for another package manager:\n%s\n' "$lock_wait" "$lines" >&2
    told=1
    if ((SECONDS >= lock_wait)); then
      echo "Another package manager is still at work. Run this again when it is done, or with a greater LOCK_WAIT." >&2
      exit 75
    fi
    sleep 2
  done
}

echo "installing ${packages[*]}" >&2
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
lock_wait=${LOCK_WAIT:-600} SECONDS=0
unlocked apt-get update
unlocked apt-get install -y --no-install-recommends "${packages[@]}"
