"""The exporter at work on a server of its own: the first thing a newcomer sees."""
