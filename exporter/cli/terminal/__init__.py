"""What a person at a terminal sees: tables, a progress line, output files that are whole or absent."""
