#!/usr/bin/env bash
# Adobe's S3Mock, from Maven Central: needs Java 17 and Maven; runs in the foreground.
#   s3mock.sh install            some seconds
#   s3mock.sh run FOLDER PORT
# Any keys, any region. It listens on loopback at PORT, and, as it has no setting against this, at one more port, free
# and on all addresses. It ends on SIGTERM, and the folder keeps the data.
set -euo pipefail
# shellcheck source=tests/soak/servers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

version=5.2.0
jar=s3mock-$version-exec.jar

case ${1-} in
  install)
    maven copy "-Dartifact=com.adobe.testing:s3mock:$version:jar:exec" "-DoutputDirectory=$folder"
    ;;
  installed)
    installed "$jar"
    ;;
  run)
    installed "$jar"
    needs java "Debian's package openjdk-17-jre-headless brings it"
    mkdir -p "$2/data"
    exec java -Xmx512m -jar "$folder/$jar" --server.port="$3" --server.address=127.0.0.1 --server.ssl.enabled=false \
      --http.port=0 "--com.adobe.testing.s3mock.store.root=$2/data" \
      --com.adobe.testing.s3mock.store.retain-files-on-exit=true
    ;;
  *)
    usage "s3mock.sh install | run FOLDER PORT"
    ;;
esac
