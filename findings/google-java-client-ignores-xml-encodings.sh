#!/usr/bin/env bash
# Google's Java client for Cloud Storage reads names of uploads as Latin-1, whatever the XML says of its encoding.
#
# Seen with google-cloud-storage 2.71.0 on Java 17 (needs a JDK and Maven). A page of uploads is UTF-8, as its first line says, and comes as
# "application/xml". Where that header names no charset, the XML's own word counts (RFC 7303). One would expect the key; what comes back is another,
# which the client then asks for. Google's servers name the charset, so that nobody notices until a proxy, a mock or another server does not. And where
# an upload has no parts yet, its list of parts is null, not empty:
#
#   application/xml: <c3><bc>ber, asked for as %C3%83%C2%BCber
#   application/xml; charset=UTF-8: <fc>ber, asked for as %C3%BCber
#   parts of an upload that has none: null
#
# So send the charset from whatever stands in for Google's servers, and look for null before going through parts.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/pom.xml" <<'POM'
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>look</groupId><artifactId>look</artifactId><version>1</version>
  <dependencies><dependency>
    <groupId>com.google.cloud</groupId><artifactId>google-cloud-storage</artifactId><version>2.71.0</version>
  </dependency></dependencies>
</project>
POM
mvn -q -B "-Dmaven.repo.local=$folder/repository" -f "$folder/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
  "-DoutputDirectory=$folder/jars"

cat >"$folder/expected" <<'EXPECTED'
application/xml: <c3><bc>ber, asked for as %C3%83%C2%BCber
application/xml; charset=UTF-8: <fc>ber, asked for as %C3%BCber
parts of an upload that has none: null
EXPECTED

cat >"$folder/Look.java" <<'LOOK'
import com.google.auth.oauth2.AccessToken;
import com.google.auth.oauth2.GoogleCredentials;
import com.google.cloud.storage.MultipartUploadClient;
import com.google.cloud.storage.MultipartUploadSettings;
import com.google.cloud.storage.StorageOptions;
import com.google.cloud.storage.multipartupload.model.ListMultipartUploadsRequest;
import com.google.cloud.storage.multipartupload.model.ListPartsRequest;
import java.util.Date;

public class Look {
  public static void main(String[] args) {
    GoogleCredentials credentials =
        GoogleCredentials.create(new AccessToken("token", new Date(System.currentTimeMillis() + 3_600_000)));
    MultipartUploadClient client =
        MultipartUploadClient.create(
            MultipartUploadSettings.of(
                StorageOptions.http().setHost(args[0]).setProjectId("p").setCredentials(credentials).build()));
    for (String bucket : new String[] {"plain", "named"}) {
      String key =
          client.listMultipartUploads(ListMultipartUploadsRequest.builder().bucket(bucket).build()).uploads().get(0).key();
      Object parts =
          client.listParts(ListPartsRequest.builder().bucket(bucket).key(key).uploadId("id").build()).parts();
      StringBuilder shown = new StringBuilder();
      key.chars().forEach(c -> shown.append(c < 128 ? Character.toString(c) : String.format("<%x>", c)));
      System.out.println(shown + " " + parts);
    }
  }
}
LOOK

cat >"$folder/look.py" <<'LOOK'
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TYPES = {"plain": "application/xml", "named": "application/xml; charset=UTF-8"}
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
asked = []


class Server(BaseHTTPRequestHandler):
    """Has one upload in each bucket, without parts; answers in the content type of the bucket."""

    def do_GET(self):
        bucket, _, key = self.path[1:].partition("?")[0].partition("/")
        if key:
            asked.append(key)
            fields = f"<Bucket>{bucket}</Bucket><Key>x</Key><UploadId>id</UploadId><IsTruncated>false</IsTruncated>"
            page = f"<ListPartsResult {NAMESPACE}>{fields}</ListPartsResult>"
        else:
            upload = (
                "<Upload><Key>\u00fcber</Key><UploadId>id</UploadId><StorageClass>STANDARD</StorageClass>"
                "<Initiated>2026-01-01T00:00:00.000Z</Initiated></Upload>"
            )
            fields = f"<Bucket>{bucket}</Bucket><IsTruncated>false</IsTruncated>{upload}"
            page = f"<ListMultipartUploadsResult {NAMESPACE}>{fields}</ListMultipartUploadsResult>"
        body = f'<?xml version="1.0" encoding="UTF-8"?>\n{page}'.encode()
        self.send_response(200)
        self.send_header("Content-Type", TYPES[bucket])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
words = ["java", "-cp", f"{sys.argv[1]}/jars/*", f"{sys.argv[1]}/Look.java", f"http://127.0.0.1:{server.server_port}"]
done = subprocess.run(words, capture_output=True, text=True, check=True)
rows = [line.rpartition(" ") for line in done.stdout.splitlines()]
for kind, (key, _, _), name in zip(TYPES.values(), rows, asked, strict=True):
    print(f"{kind}: {key}, asked for as {name}")
print(f"parts of an upload that has none: {rows[0][2]}")
server.shutdown()
LOOK

"${PYTHON:-python3}" "$folder/look.py" "$folder" >"$folder/seen"
cat "$folder/seen"
diff "$folder/expected" "$folder/seen" >&2 || {
  echo "Google's Java client no longer behaves as described above" >&2
  exit 1
}
