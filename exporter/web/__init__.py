"""HTTP request in, response out. Serving never waits for a scan.

Offers: `app`, `auth.config`, `auth.middleware`, `auth.reload`, `records`, `server.connections`,
`server.server`.
"""
