"""The HTTP server: sockets, TLS, and limits against slow or hostile clients."""
