#!/usr/bin/env bash
# Kubernetes' API server with its etcd, as Go modules: built by Go 1.26 or later into one program, run on loopback in the
# foreground. No kubelet, scheduler or controller: objects are taken, refused and kept, and nothing comes of them.
#   kubernetes.sh install            about 15 minutes on 2 cores
#   kubernetes.sh run FOLDER PORT    https, in the group system:masters by the token mpu-tests
# It ends on SIGTERM, and the folder keeps the data.
set -euo pipefail
# shellcheck source=tests/soak/servers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

version=1.37.2
program=kube-apiserver-$version

build() { # in a module of its own, as Kubernetes names its parts by versions that only a replacement fills in
  local parts
  parts=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p')
  {
    printf 'module mpu-exporter.example/kubernetes\n\ngo 1.26.0\n\n'
    printf 'require (\n\tgo.etcd.io/etcd/server/v3 v3.7.0\n\tk8s.io/kubernetes v%s\n)\n\n' "$version"
    sed -n "s|^\s*\(k8s.io/[a-z-]*\) => \./staging/.*|replace \1 => \1 v0.${version#*.}|p" "$parts"
  } >go.mod
  cat >main.go <<'GO'
// An API server and its etcd in one process. The folder of etcd's data is in ETCD_FOLDER; flags are the API server's.
package main

import (
	"log"
	"net"
	"net/url"
	"os"

	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func freeURL() []url.URL {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer listener.Close()
	return []url.URL{{Scheme: "http", Host: listener.Addr().String()}}
}

func main() {
	config := embed.NewConfig()
	config.Dir, config.LogLevel = os.Getenv("ETCD_FOLDER"), "error"
	config.ListenClientUrls, config.ListenPeerUrls = freeURL(), freeURL()
	config.AdvertiseClientUrls, config.AdvertisePeerUrls = config.ListenClientUrls, config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		log.Fatal(err)
	}
	defer etcd.Close()
	<-etcd.Server.ReadyNotify()
	command := app.NewAPIServerCommand()
	command.SetArgs(append(os.Args[1:], "--etcd-servers="+config.ListenClientUrls[0].String()))
	os.Exit(cli.Run(command))
}
GO
  go mod tidy
  go build -trimpath -o "$folder/$program" -ldflags \
    "-s -w -X k8s.io/component-base/version.gitVersion=v$version -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37"
}

case ${1-} in
  install)
    needs go "Go 1.26 or later builds it"
    [[ ! -x $folder/$program ]] || exit 0
    mkdir -p "$folder"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    cd "$scratch"
    GOFLAGS=-mod=mod build
    ;;
  installed)
    installed "$program"
    ;;
  run)
    installed "$program"
    mkdir -p "$2"
    cd "$2"
    [[ -f key.pem ]] || openssl genrsa -out key.pem 2048 2>openssl.log
    echo 'mpu-tests,mpu-tests,1,system:masters' >tokens.csv
    ETCD_FOLDER=$2/etcd exec "$folder/$program" --bind-address=127.0.0.1 --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --secure-port="$3" \
      --cert-dir="$2/pem" --token-auth-file="$2/tokens.csv" --authorization-mode=RBAC \
      --service-account-issuer=https://mpu-tests.example --service-account-key-file="$2/key.pem" \
      --service-account-signing-key-file="$2/key.pem" --service-cluster-ip-range=10.0.0.0/16,fd00::/108 \
      --service-node-port-range=30000-32767 --disable-admission-plugins=ServiceAccount
    ;;
  *)
    usage "kubernetes.sh install | run FOLDER PORT"
    ;;
esac
