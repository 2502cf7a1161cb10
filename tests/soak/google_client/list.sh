#!/usr/bin/env bash
# Google's own Java client, from Maven Central: needs a JDK of Java 17 and Maven.
#   list.sh install                       half a minute, 40 MB
#   list.sh run URL BUCKET TOKEN PAGE     prints the uploads of a bucket; see ListUploads.java
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=tests/soak/servers/common.sh
source "$here/../servers/common.sh"

version=2.71.0
jars=google-cloud-storage-$version

case ${1-} in
  install)
    mkdir -p "$folder/$jars"
    cat >"$folder/$jars/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>mpu-exporter</groupId><artifactId>google-client</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>com.google.cloud</groupId><artifactId>google-cloud-storage</artifactId><version>$version</version>
  </dependency></dependencies>
</project>
POM
    maven copy-dependencies -f "$folder/$jars/pom.xml" "-DoutputDirectory=$folder/$jars"
    ;;
  installed)
    installed "$jars/$jars.jar"
    ;;
  run)
    installed "$jars/$jars.jar"
    needs java "Debian's package openjdk-17-jdk-headless brings it"
    exec java -cp "$folder/$jars/*" "$here/ListUploads.java" "${@:2}"
    ;;
  *)
    usage "list.sh install | run URL BUCKET TOKEN PAGE"
    ;;
esac
