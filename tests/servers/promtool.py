"""Prometheus' own linter of expositions."""

import subprocess

from servers import need


def promtool_check_metrics(text: str) -> str:
    """Return what `promtool check metrics` finds wrong with an exposition: nothing is ''."""
    need("promtool")
    command = ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    found = (done.stdout + done.stderr).strip()
    return found or (f"promtool ended with {done.returncode}" if done.returncode else "")
