"""Results of the commands in, text out: tables, JSON, CSV, shell commands, metrics."""
