#!/usr/bin/env bash
# S3Proxy on a folder (its filesystem-nio2 store), from Maven Central: needs Java 17 and Maven; runs on loopback in the
# foreground.
#   s3proxy.sh install            half a minute
#   s3proxy.sh run FOLDER PORT
# Keys: mpu-tests, mpu-tests-secret; any region. It ends on SIGTERM, and the folder keeps the data.
set -euo pipefail
# shellcheck source=tests/soak/servers/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

version=4.1.0
annotations=2.21 # of Jackson: what S3Proxy needs at run time and does not name

install() {
  mkdir -p "$folder/s3proxy"
  cat >"$folder/s3proxy/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>none</groupId>
  <artifactId>none</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.gaul</groupId><artifactId>s3proxy</artifactId><version>$version</version></dependency>
    <dependency>
      <groupId>com.fasterxml.jackson.core</groupId>
      <artifactId>jackson-annotations</artifactId>
      <version>$annotations</version>
    </dependency>
  </dependencies>
</project>
POM
  maven copy-dependencies -f "$folder/s3proxy/pom.xml" -DincludeScope=runtime -DoutputDirectory="$folder/s3proxy/lib"
}

run() { # FOLDER PORT
  installed s3proxy/lib
  needs java "Debian's package openjdk-17-jre-headless brings it"
  mkdir -p "$1/data"
  cat >"$1/s3proxy.conf" <<CONF
s3proxy.endpoint=http://127.0.0.1:$2
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity=$ACCESS_KEY
s3proxy.credential=$SECRET_KEY
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir=$1/data
CONF
  # without this its libraries log each step
  cat >"$1/logback.xml" <<LOGS
<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date %level %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="warn"><appender-ref ref="out"/></root>
</configuration>
LOGS
  exec java -Xmx512m "-Dlogback.configurationFile=$1/logback.xml" -cp "$folder/s3proxy/lib/*" \
    org.gaul.s3proxy.Main --properties "$1/s3proxy.conf"
}

case ${1-} in
  install | run) "$@" ;;
  installed) installed s3proxy/lib ;;
  *) usage "s3proxy.sh install | run FOLDER PORT" ;;
esac
