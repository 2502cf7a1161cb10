"""Asks the Service for metrics as Prometheus will. `helm test` runs it with a URL and, maybe, may-refuse."""

import ssl
import sys
from urllib.error import HTTPError
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

PASSWORD_WANTED = 401
CERTIFICATE_WANTED = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE")  # TLS 1.3 and 1.2


def main(url: str, *options: str) -> str:
    """Return what is wrong, or nothing. A request for a password or a certificate may be right."""
    # The way there is tested, not the certificate: its CA need not be known here.
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    try:
        with build_opener(ProxyHandler({}), HTTPSHandler(context=tls)).open(url, timeout=10) as answer:
            text = answer.read().decode()
    except OSError as error:
        asks = any(alert in str(error) for alert in CERTIFICATE_WANTED)
        asks |= isinstance(error, HTTPError) and error.code == PASSWORD_WANTED
        return "" if asks and "may-refuse" in options else f"{url}: {error}"
    return "" if "# TYPE " in text else f"{url}: no metrics, but {text[:100]!r}"


sys.exit(main(*sys.argv[1:]) or 0)
