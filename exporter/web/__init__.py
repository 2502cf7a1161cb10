"""HTTP request in, response out. Serving never waits for a scan.

Offers: `app`, `auth.config`, `auth.middleware`, `auth.reload`, `hosts`, `records`, `server.connections`,
`server.server`.
"""
