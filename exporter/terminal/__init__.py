"""What a command shows to the person who runs it: tables, progress, files that are whole or not there."""
