"""Sends every HTTP request: deadline to the last byte, body cap, CAs, proxy, connections, count."""
