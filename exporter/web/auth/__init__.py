"""Authentication: the web config file, passwords, client certificates, TLS settings."""
