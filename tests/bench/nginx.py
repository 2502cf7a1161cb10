"""A server far faster than any client of it: nginx, one process, canned pages; and how fast it is, by wrk."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from bench import pages
from bench.account import ACCOUNT
from bench.blobpages import Container
from bench.measure import Cost
from bench.pages import Bucket
from servers import free_port, listens, running, wait_until

LATE = "late"
"""The bucket whose every answer comes LATE_SECONDS late."""
LATE_SECONDS = 0.03

# One process without a master: it dies when it is killed. A page goes out with one write.
_CONF = """\
load_module /usr/lib/nginx/modules/ngx_http_echo_module.so;
daemon off; master_process off; pid {folder}/pid;
worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
  log_format uri $uri;
  access_log {log};
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  keepalive_requests 1000000000; tcp_nodelay on; output_buffers 1 512k;
  open_file_cache max=8192 inactive=1h; open_file_cache_valid 1h;
  default_type application/xml;
  map $args $listing {{
    default "uploads-";
    "~(?:^|&)prefix=[^&]*page-(?<page>[0-9]+)%2F(?<place>[0-9]+)" "named-$page-$place";
    "~(?:^|&)(?:key-)?marker=[^&]*page-(?<page>[0-9]+)" "uploads-$page";
  }}
  map $uri $answer {{
    "~^/{account}/(?<bucket>[^/]+)/?$" "/$bucket/$listing.xml";
    "~^/{account}/(?<bucket>[^/]+)/(?<key>.+)$" "/$bucket/parts.xml";
    "~^/(?<bucket>[^/]+)/?$" "/$bucket/$listing.xml";
    "~^/(?<bucket>[^/]+)/(?<key>.+)$" "/$bucket/parts.xml";
  }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    root {folder}/html;
    sub_filter "{key}" "$key"; sub_filter "{upload_id}" "$arg_uploadId";
    sub_filter_once on; sub_filter_types none;
    location / {{ try_files $answer =404; }}
    location ~ ^/[^/]+/. {{ sub_filter_types *; try_files $answer =404; }}
    location ^~ /{late} {{ echo_sleep {seconds}; echo_exec @late; }}
    location @late {{ sub_filter_types *; try_files $answer =404; }}
  }}
}}
"""
# What a signed request carries: without it, wrk would ask for less than clients do.
_HEADERS = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20250101/us-east-1/s3/aws4_request, "
    f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={'0' * 64}",
    "x-amz-content-sha256": "0" * 64,
    "x-amz-date": "20250101T000000Z",
}


@dataclass(frozen=True)
class Nginx:
    """A running server: where it is, and its folder."""

    url: str
    folder: Path

    def uploads(self, bucket: Bucket, connections: int) -> Cost:
        """Return how fast it can serve a bucket's listing pages over so many connections."""
        return self._cost(f"/{bucket.name}?uploads", connections)

    def blobs(self, container: Container, connections: int) -> Cost:
        """Return how fast it can serve a container's lists of blocks over so many connections."""
        return self._cost(f"/{ACCOUNT}/{container.name}/blob?comp=blocklist&blocklisttype=all", connections)

    def parts(self, bucket: Bucket, connections: int) -> Cost:
        """Return how fast it can serve a bucket's answers to ListParts over so many connections."""
        [(key, upload_id)] = pages.names(1)
        return self._cost(f"/{bucket.name}/{quote(key)}?uploadId={upload_id}", connections)

    def asked(self) -> set[str]:
        """Return the buckets asked for so far, of a server that keeps a log."""
        return {path.split("/")[1] for path in self._paths()}

    def sized(self) -> set[str]:
        """Return the buckets of which parts were asked for so far, of a server that keeps a log."""
        return {path.split("/")[1] for path in self._paths() if path.count("/") > 1}

    def _paths(self) -> list[str]:
        return (self.folder / "access.log").read_text().splitlines()

    def _cost(self, path: str, connections: int) -> Cost:
        headers = [word for name, value in _HEADERS.items() for word in ("-H", f"{name}: {value}")]
        command = ["wrk", "-t1", f"-c{connections}", "-d1s", *headers, self.url + path]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found = re.search(r"Requests/sec:\s+([0-9.]+)", said)
        if not found or "Non-2xx" in said or "Socket errors" in said:
            raise RuntimeError(said)
        return Cost(1 / float(found[1]))


@contextmanager
def serving(*buckets: Bucket | Container, log: bool = False) -> Iterator[Nginx]:
    """Run a server of these buckets while the block lasts; with a log of what it was asked if need be."""
    with TemporaryDirectory(prefix="mpu-bench-") as name:
        folder, port = Path(name), free_port()
        settings = {"folder": folder, "port": port, "late": LATE, "seconds": LATE_SECONDS}
        settings |= {"key": pages.KEY, "upload_id": pages.UPLOAD_ID, "account": ACCOUNT}
        for bucket in buckets:
            bucket.write(folder / "html")
        file = folder / "nginx.conf"
        file.write_text(_CONF.format(**settings, log=f"{folder}/access.log uri" if log else "off"))
        with running(["nginx", "-e", "stderr", "-c", str(file)], folder / "out"):
            wait_until("nginx", lambda: listens(port), log=folder / "out")
            yield Nginx(f"http://127.0.0.1:{port}", folder)
