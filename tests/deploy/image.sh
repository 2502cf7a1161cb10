#!/usr/bin/env bash
# Builds the image and runs it as the chart does: read-only root, no capabilities, no new privileges, any uid.
# Not part of the test run, because it needs podman, root or user namespaces, and a minute or two.
#
#   tests/deploy/image.sh
#
# Environment, all optional:
#   PYTHON_IMAGE  base image; the default is the Dockerfile's own
#   BOOTSTRAP     a Debian suite with python3 in it, such as trixie: makes the base with debootstrap, for machines that
#                 reach a Debian mirror and PyPI but no image registry (needs root)
#   CA_FILE       certificate bundle for pip, where a proxy signs with a CA of its own
#   NESTED=1      inside a container or a small VM: chroot isolation, runc, no systemd
#   SCRATCH       where the base is unpacked; the default is a temporary folder, removed at the end
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=${SCRATCH:-$(mktemp -d)}
container=
finish() {
  [ -z "$container" ] || podman rm --force --time 0 "$container" >/dev/null
  [ -n "${SCRATCH:-}" ] || rm -rf "$scratch"
}
trap finish EXIT
mkdir -p "$scratch"

fail() {
  echo "FAILED: $*" >&2
  [ -z "$container" ] || command podman logs "$container" >&2
  exit 1
}
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f s", b - a }'; }

build=(--format docker)
if [ -n "${NESTED:-}" ]; then
  printf '%s\n' '[containers]' 'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]' 'netns = "bridge"' \
    '[engine]' 'runtime = "runc"' 'cgroup_manager = "cgroupfs"' >"$scratch/containers.conf"
  export CONTAINERS_CONF=$scratch/containers.conf
  build+=(--isolation chroot)
  podman() { command podman --log-level fatal "$@"; } # without systemd it complains of every health timer
fi
if [ -n "${BOOTSTRAP:-}" ]; then
  PYTHON_IMAGE=localhost/python:$BOOTSTRAP
  if ! podman image exists "$PYTHON_IMAGE"; then
    debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates "$BOOTSTRAP" "$scratch/base" >"$scratch/base.log" \
      || fail "debootstrap: $(tail -n 3 "$scratch/base.log")"
    ln -s python3 "$scratch/base/usr/bin/python"
    tar -C "$scratch/base" -c . | podman import --quiet - "$PYTHON_IMAGE" >/dev/null
  fi
  build+=(--pull=never)
fi
if [ -n "${CA_FILE:-}" ]; then
  printf '[global]\ncert = /run/build-ca.pem\n' >"$scratch/pip.conf"
  build+=(--volume "$CA_FILE:/run/build-ca.pem:ro" --volume "$scratch/pip.conf:/etc/pip.conf:ro")
fi
[ -z "${PYTHON_IMAGE:-}" ] || build+=(--build-arg "PYTHON_IMAGE=$PYTHON_IMAGE")

version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$root/exporter/__init__.py")
revision=$(git -C "$root" rev-parse HEAD 2>/dev/null) || revision=unknown
image=localhost/mpu-exporter:$version
start=$(now)
podman build "${build[@]}" --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --tag "$image" "$root" \
  >"$scratch/build.log" 2>&1 || { tail -n 30 "$scratch/build.log" >&2; fail "the build"; }
echo "built $image in $(since "$start"): $(podman image inspect --format '{{.Size}}' "$image" | awk '{ printf "%.0f MB", $1 / 1e6 }')"

if podman run --rm --network none --entrypoint python "$image" -c 'import pip' 2>/dev/null; then fail "pip is in the image"; fi
if podman run --rm --network none --entrypoint sh "$image" -c 'command -v gcc cc make' >/dev/null; then fail "a compiler is in the image"; fi

# A store that refuses connections: the exporter starts, says so, and stays healthy.
cat >"$scratch/config.yaml" <<'YAML'
scan: {retries: 0, request_timeout: 2s}
targets:
  - name: nowhere
    store: s3
    region: us-east-1
    endpoint_url: http://127.0.0.1:9
    buckets: [none]
    credentials: {access_key_id: key, secret_access_key: secret}
YAML
chmod 644 "$scratch/config.yaml"

for uid in 65532:65532 123456:0; do
  start=$(now)
  container=$(podman run --detach --publish 127.0.0.1::19340 --user "$uid" --read-only --read-only-tmpfs=false \
    --cap-drop ALL --security-opt no-new-privileges --volume "$scratch/config.yaml:/etc/mpu-exporter/config.yaml:ro" "$image")
  address=$(podman port "$container" 19340/tcp)
  for try in $(seq 100); do
    ! curl --noproxy '*' --fail --silent --output /dev/null "http://$address/-/healthy" || break
    [ "$try" -lt 100 ] || fail "uid $uid: no answer from /-/healthy in 20 s"
    sleep 0.2
  done
  echo "uid $uid: healthy $(since "$start") after the start"
  podman healthcheck run "$container" || fail "uid $uid: the image's own HEALTHCHECK"
  curl --noproxy '*' --fail --silent "http://$address/metrics" | grep -q '^mpu_' || fail "uid $uid: no mpu_ metric at /metrics"
  start=$(now)
  podman stop --time 10 "$container" >/dev/null
  status=$(podman inspect --format '{{.State.ExitCode}}' "$container")
  [ "$status" = 0 ] || fail "uid $uid: exit status $status after SIGTERM"
  echo "uid $uid: ended with status 0, $(since "$start") after SIGTERM"
  podman rm "$container" >/dev/null
  container=
done
echo "passed"
