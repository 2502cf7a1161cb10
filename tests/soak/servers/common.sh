# shellcheck shell=bash
# Read by the other files of this folder. Sets: folder, where all is installed (MPU_TEST_SERVERS, else below ~/.cache).
folder=${MPU_TEST_SERVERS:-${XDG_CACHE_HOME:-$HOME/.cache}/mpu-exporter-servers}
export ACCESS_KEY=mpu-tests SECRET_KEY=mpu-tests-secret # good for nothing but a server on loopback

needs() { # COMMAND WHAT: end where the command that installs or runs it is not there
  command -v "$1" >/dev/null || { echo "$1 is not installed: $2" >&2 && exit 69; }
}

go_install() { # PACKAGE@VERSION: build it with the Go toolchain, once
  needs go "Go 1.26 or later builds it"
  mkdir -p "$folder"
  GOBIN=$folder CGO_ENABLED=0 go install "$1"
}

maven() { # GOAL ARGUMENT...: ask Maven's plugin for dependencies
  needs mvn "Debian's package maven, with openjdk-17-jre-headless, brings it"
  mvn -q -B "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:$1" "${@:2}"
}

installed() { # PATH: end where this is not in the folder yet
  [[ -e $folder/$1 ]] || { echo "not installed: $0 install" >&2 && exit 69; }
}

usage() { # LINE...: tell what this file can do
  printf '%s\n' "$@" >&2
  exit 64
}
